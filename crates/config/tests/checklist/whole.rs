//! Overlays, checks over several sections, names that follow.

use crate::deploy::*;
use dhow_config::{not_found, overlay_path};
use dhow_text::diagnostic::Severity;
use dhow_text::shell::ShellValue;

fn overlaid(base: &str, overlay: &str) -> Result<dhow_config::Loaded, Vec<String>> {
    load_in(&World::default(), base, Some(("st", overlay)))
        .map_err(|failure| messages(&failure, Severity::Error))
}

#[test]
fn item_1_02_a_missing_file() {
    let diagnostic = not_found("/a/config/deploy.yml");
    assert_eq!(diagnostic.class, "RuntimeError");
    assert_eq!(
        diagnostic.message,
        "Configuration file not found in /a/config/deploy.yml"
    );
}

#[test]
fn item_1_04_overlay_paths() {
    for (base, overlay) in [
        ("config/deploy.yml", "config/deploy.st.yml"),
        ("config/foo.yaml", "config/foo.st.yml"),
        ("config/deploy", "config/deploy.st.yml"),
        ("a.b.yml", "a.b.st.yml"),
        ("a.b/deploy", "a.b/deploy.st.yml"),
        ("x/.deploy", "x/.deploy.st.yml"),
    ] {
        assert_eq!(overlay_path(base, "st"), overlay);
    }
}

#[test]
fn item_1_05_the_destination_is_in_the_environment_of_both_files() {
    let base = with("env: {clear: {BASE: \"<%= ENV['KAMAL_DESTINATION'] %>\"}}");
    let overlay = "env: {clear: {OVER: \"<%= ENV['KAMAL_DESTINATION'] %>\"}}";
    let stale = || {
        let world = World::default();
        let name = "KAMAL_DESTINATION".to_owned();
        world
            .templates
            .borrow_mut()
            .env
            .insert(name, "stale".to_owned());
        world
    };
    let world = stale();
    let loaded = load_in(&world, &base, Some(("st", overlay))).unwrap();
    let st = || ShellValue::Text("st".to_owned());
    assert_eq!(
        loaded.config.env.clear,
        [("BASE".to_owned(), st()), ("OVER".to_owned(), st())]
    );
    assert_eq!(world.templates.borrow().env["KAMAL_DESTINATION"], "st");
    let world = stale();
    let loaded = load_in(&world, &base, None).unwrap();
    let none = ShellValue::Text(String::new());
    assert_eq!(loaded.config.env.clear, [("BASE".to_owned(), none)]);
    assert!(world.templates.borrow().env.is_empty());
}

#[test]
fn item_2_04_tags_in_comments_are_evaluated() {
    let (class, message) = first_error("# <%= ENV.fetch('NO') %>\nservice: a");
    assert_eq!(
        (class.as_str(), message.as_str()),
        ("KeyError", "key not found: \"NO\"")
    );
}

#[test]
fn item_2_14_variables_of_the_environment_go_from_file_to_file_locals_do_not() {
    let base = with("# <% ENV['A'] = 'x'; b = 'y' %>");
    let world = World::default();
    let overlay = "labels: {a: \"<%= ENV['A'] %>\"}";
    let loaded = load_in(&world, &base, Some(("st", overlay))).unwrap();
    assert_eq!(loaded.config.labels[0].1, ShellValue::Text("x".to_owned()));
    assert!(load_in(&world, &base, Some(("st", "labels: {a: \"<%= b %>\"}"))).is_err());
}

#[test]
fn item_2_16_an_unset_variable_is_no_host() {
    refused(&[(
        "servers:\n- <%= ENV[\"UNSET\"] %>",
        "servers/0: should be a string or a hash",
    )]);
}

/// A fault in what a tag gave is shown at the tag.
#[test]
fn faults_in_rendered_text_point_into_the_template() {
    let text = format!("# <%= \"several\\nlines\" %>\n{LEAST}app: 1\n");
    let failure = load_text(&text.replace("several\\nlines", "one")).unwrap_err();
    let span = failure.diagnostics[0].labels[0].span;
    assert_eq!(failure.diagnostics[0].message, "unknown key: app");
    assert_eq!(failure.sources.line_column(span), Some((7, 1)));
}

#[test]
fn item_1_06_to_1_09_what_an_overlay_replaces() {
    let base = with("servers: [a, b]\nvolumes: [a, b]\nenv: {clear: {A: 1, B: 2}, secret: [S, T]}");
    let config = overlaid(
        &base,
        "servers: [c]\nvolumes: [c]\nenv: {clear: {B: 3, C: 4}, secret: [U]}",
    )
    .unwrap()
    .config;
    assert_eq!(config.all_hosts(), ["c"]);
    assert_eq!(config.volumes, ["c"]);
    let keys: Vec<&str> = config.env.clear.iter().map(|(k, _)| k.as_str()).collect();
    assert_eq!(keys, ["A", "B", "C"]);
    assert_eq!(config.env.secrets.len(), 1);
    assert_eq!(config.destination.as_deref(), Some("st"));
    assert_eq!(
        overlaid(&base, "env:").unwrap_err(),
        ["env: should be a hash"]
    );
    let config = overlaid(&base, "servers: {web: [d]}").unwrap().config;
    assert_eq!(config.all_hosts(), ["d"]);
}

#[test]
fn item_1_10_and_1_11_overlays_that_do_not_fit() {
    assert_eq!(
        overlaid(&with("env: {A: 1}"), "env: {clear: {B: 2}}").unwrap_err(),
        ["env: unknown key: A"]
    );
    assert_eq!(
        overlaid(&with("proxy: {host: a}"), "proxy: {hosts: [b]}").unwrap_err(),
        ["proxy: Specify one of 'host' or 'hosts', not both"]
    );
}

#[test]
fn item_1_12_neither_file_need_be_whole() {
    let overlay = LEAST.replace("service: app\n", "");
    assert!(overlaid("service: app", &overlay).is_ok());
    assert!(
        overlaid(
            ":service: x",
            &overlay.replace("image", ":service: app\nimage")
        )
        .is_ok()
    );
}

#[test]
fn item_1_13_files_without_settings() {
    for text in ["", "# nothing\n", "- a\n", "just text\n"] {
        let message =
            "`config/deploy.yml` holds no settings: it should be a map of keys and values";
        assert_eq!(errors(text), [message], "{text:?}");
        let overlay = message.replace("deploy.yml", "deploy.st.yml");
        assert_eq!(overlaid(LEAST, text).unwrap_err(), [overlay], "{text:?}");
    }
}

#[test]
fn item_1_14_anchors_stay_in_their_file() {
    let failure = overlaid("x-a: &a {b: 1}\nservice: app", "env: *a").unwrap_err();
    assert_eq!(failure, ["An alias referenced an unknown anchor: a"]);
}

#[test]
fn item_3_03_anchors_in_extensions() {
    let config = config(&with(
        "x-role: &role\n  cmd: bin/jobs\n  stop_timeout: 5\nservers:\n  web: [a]\n  job:\n    <<: *role\n    hosts: [b]\n",
    ));
    assert_eq!(config.role("job").unwrap().cmd.as_deref(), Some("bin/jobs"));
}

#[test]
fn item_13_01_a_destination_may_be_required() {
    assert_eq!(
        first_error(&with("require_destination: true")),
        (
            "ArgumentError".to_owned(),
            "You must specify a destination".to_owned()
        )
    );
    assert!(overlaid(&with("require_destination: true"), "{}").is_ok());
    accepted(&["require_destination: false"]);
}

#[test]
fn item_13_02_what_must_be_there() {
    for key in ["service", "image"] {
        let line = LEAST.lines().find(|line| line.starts_with(key)).unwrap();
        let without = LEAST.replace(&format!("{line}\n"), "");
        let message = format!("Missing required configuration for {key}");
        assert_eq!(errors(&without), [message.as_str()]);
        assert_eq!(errors(&with(&format!("{key}: ''"))), [message]);
    }
    assert_eq!(
        errors(&LEAST.replace("servers: [1.1.1.1]\n", "")),
        ["No servers or accessories specified"]
    );
}

#[test]
fn item_13_03_service_names() {
    for name in ["hey-app1_primary", "MyApp", "a", "1"] {
        accepted(&[&format!("service: {name}")]);
    }
    for name in ["app.com", "a b", "ä", "a/b"] {
        refused(&[(
            &format!("service: {name}"),
            "Service name can only include alphanumeric characters, hyphens, and underscores",
        )]);
    }
}

#[test]
fn item_13_04_minimum_versions() {
    // Unquoted, 2.10 is the number 2.1; a blank one says nothing.
    accepted(&[
        "minimum_version: 2.9.9",
        "minimum_version: 2.12.0",
        "minimum_version: 2.12.0.rc1",
        "minimum_version: 2.20",
        "minimum_version: ''",
    ]);
    for version in ["2.12.1", "3.0.0", "2.13.0.alpha", "'2.20'"] {
        let plain = version.trim_matches('\'');
        let message = format!("Current version is 2.12.0, minimum required is {plain}");
        refused(&[(&format!("minimum_version: {version}"), &message)]);
    }
    assert_eq!(
        first_error(&with("minimum_version: foo")),
        (
            "ArgumentError".to_owned(),
            "Malformed version number string foo".to_owned()
        )
    );
}

#[test]
fn item_13_05_at_least_one_container_is_kept() {
    refused(&[("retain_containers: 0", "Must retain at least 1 container")]);
    assert_eq!(config(LEAST).retain_containers, 5);
    assert_eq!(config(&with("retain_containers: 1")).retain_containers, 1);
}

#[test]
fn item_13_06_run_directory_is_ignored() {
    accepted(&["run_directory: /elsewhere"]);
}

#[test]
fn item_14_04_names_of_images() {
    let base = with("registry: {server: ghcr.io, username: u, password: p}");
    let plain = config(&base);
    assert_eq!(plain.absolute_image("v1"), "ghcr.io/dhh/app:v1");
    assert_eq!(plain.latest_image(), "ghcr.io/dhh/app:latest");
    assert_eq!(plain.service_with_version("v1"), "app-v1");
    let staging = overlaid(&base, "{}").unwrap().config;
    assert_eq!(staging.latest_image(), "ghcr.io/dhh/app:latest-st");
    assert_eq!(staging.service_and_destination(), "app-st");
    assert_eq!(
        staging.container_name(&staging.roles[0], "1"),
        "app-web-st-1"
    );
    assert_eq!(staging.service_with_version("1"), "app-1");
}

#[test]
fn defaults_of_the_root() {
    let config = config(LEAST);
    assert_eq!(
        (
            config.readiness_delay,
            config.deploy_timeout,
            config.drain_timeout,
            config.stop_timeout
        ),
        (7, 30, 30, None)
    );
    assert_eq!(config.hooks_path, ".kamal/hooks");
    assert_eq!(config.secrets_path, ".kamal/secrets");
    assert!(!config.allow_empty_roles && !config.require_destination);
}

#[test]
fn what_dhow_does_not_know_below_its_own_key_is_warned_of() {
    let loaded = loaded(&with("x-dhow: {proxy: {a: 1}, delivery: x, other: {b: 1}}"));
    let warnings: Vec<&str> = loaded.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "x-dhow/proxy: unknown key: a",
            "x-dhow/delivery: should be a hash",
            "x-dhow: unknown key: other",
        ]
    );
    accepted(&["x-dhow: {}", "x-dhow: {proxy: {}, delivery: {}}"]);
}

/// However a tree looks, checking it ends in a configuration or in diagnostics.
#[test]
fn every_value_in_every_place_is_survived() {
    let values = [
        "~",
        "a",
        "1",
        "[~, [~], {}, {a: ~}]",
        "{a: ~, 1: [~], ~: {a: b}}",
        "{a: {a: {a: ~}}}",
        "true",
    ];
    let keys = [
        "service",
        "image",
        "labels",
        "registry",
        "servers",
        "env",
        "hooks_output",
        "builder",
        "accessories",
        "proxy",
        "boot",
        "logging",
        "output",
        "aliases",
        "ssh",
        "sshkit",
        "primary_role",
        "minimum_version",
        "x-dhow",
    ];
    let mut loads = 0;
    for key in keys {
        for value in values {
            for text in [
                format!("{key}: {value}"),
                format!("{key}: {{web: {value}}}"),
                format!("{key}: {{web: {{hosts: {value}, proxy: {value}, options: {value}}}}}"),
            ] {
                loads += usize::from(load_text(&with(&text)).is_ok());
            }
        }
    }
    assert!(loads > 20, "{loads}");
}

/// A file cut off anywhere, or with any line gone or twice as deep, ends in a configuration or in diagnostics with places that exist.
#[test]
fn damaged_files_are_survived() {
    let whole = include_str!("../files/rails.yml");
    let lines: Vec<&str> = whole.lines().collect();
    let mut texts: Vec<String> = (0..whole.len())
        .filter_map(|at| whole.get(..at).map(str::to_owned))
        .collect();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        let line = without.remove(at);
        texts.push(without.join("\n"));
        let deeper = format!("  {line}");
        without.insert(at, &deeper);
        texts.push(without.join("\n"));
    }
    let (mut loads, mut fails) = (0, 0);
    for text in texts {
        match load_text(&text) {
            Ok(_) => loads += 1,
            Err(failure) => {
                fails += 1;
                assert!(!failure.diagnostics.is_empty());
                for label in failure.diagnostics.iter().flat_map(|d| &d.labels) {
                    let source = failure.sources.get(label.span.source).unwrap();
                    let range = label.span.start as usize..label.span.end as usize;
                    assert!(source.text.get(range).is_some(), "{label:?} in\n{text}");
                }
            }
        }
    }
    assert!(loads > 20 && fails > 100, "{loads} {fails}");
}

#[test]
fn tags_without_a_world_are_refused() {
    struct Nothing;
    impl dhow_config::Outside for Nothing {
        fn file_exists(&self, _path: &str) -> bool {
            false
        }
        fn docker_architecture(&self) -> String {
            "amd64".to_owned()
        }
    }
    let with_base = |base: &str| {
        dhow_config::load(&dhow_config::Inputs {
            base: source("config/deploy.yml", base),
            overlay: None,
            destination: None,
            outside: &Nothing,
        })
    };
    assert!(with_base(LEAST).is_ok());
    assert_eq!(
        with_base(&with("# <%= 1 %>")).unwrap_err().to_string(),
        "`config/deploy.yml` has ERB tags, and there is nothing to render them with"
    );
}
