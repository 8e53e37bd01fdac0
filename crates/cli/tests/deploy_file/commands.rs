//! `config`, `init`, `docs` and aliases.

use std::os::unix::fs::PermissionsExt;

use super::place::{LEAST, Place};

#[test]
fn config_item_11_02_arguments_of_aliases() {
    let place = Place::new(&format!(
        "{LEAST}aliases:\n  one: config --version 1\n  page: docs 'proxy'\n  json: secrets extract 'two words'\n  more: one --version 3\n"
    ));
    let version = |arguments: &[&str]| {
        let text = place.succeeds(arguments);
        let (_, rest) = text.split_once("\n:version: ").expect("a version");
        rest.split('\n').next().unwrap_or_default().to_owned()
    };
    assert_eq!(version(&["one"]), "'1'");
    assert_eq!(
        version(&["one", "--version", "2"]),
        "'2'",
        "the later one wins"
    );
    assert_eq!(version(&["more"]), "'3'");
    assert_eq!(version(&["more", "--version", "4"]), "'4'");
    assert_eq!(
        place.succeeds(&["page"]),
        place.succeeds(&["docs", "proxy"])
    );
    assert_eq!(
        place.succeeds(&["json", "{\"two words\":\"1\"}"]),
        "1\n",
        "quoted words stay together, arguments come after"
    );
}

/// parity: commands 218
#[test]
fn config_item_18_05_docs() {
    let place = Place::empty();
    for (section, line) in [
        ("accessory", "# Accessories"),
        ("alias", "# Aliases"),
        ("boot", "# Booting"),
        ("builder", "# Builder"),
        ("env", "# Environment variables"),
        ("logging", "# Custom logging configuration"),
        ("output", "# Output"),
        ("proxy", "# Proxy"),
        ("registry", "# Registry"),
        ("role", "# Roles"),
        ("servers", "# Servers"),
        ("ssh", "# SSH configuration"),
        ("SSHKit", "# SSHKit"),
        ("PROXY", "# Proxy"),
    ] {
        let text = place.succeeds(&["docs", section]);
        assert_eq!(text.lines().next(), Some(line), "{section}");
    }
    for unknown in ["nonsense", "configuration"] {
        assert_eq!(
            place.succeeds(&["docs", unknown]),
            format!("No documentation found for {unknown}\n")
        );
    }
}

#[test]
fn config_item_18_06_init_twice() {
    let place = Place::empty();
    let said = place.succeeds(&["init"]);
    let lines: Vec<&str> = said.lines().collect();
    for line in [
        "Created configuration file in config/deploy.yml",
        "Created .kamal/secrets file",
        "Created sample hooks in .kamal/hooks",
    ] {
        assert!(lines.contains(&line), "{line} in\n{said}");
    }
    assert!(said.contains("`dhow schema`"), "{said}");
    let mut made = 0;
    for folder in ["config", ".kamal", ".kamal/hooks"] {
        for entry in std::fs::read_dir(place.path(&format!("app/{folder}"))).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                made += 1;
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                let expected = if folder.ends_with("hooks") {
                    0o755
                } else {
                    0o644
                };
                assert_eq!(mode, expected, "{:?}", entry.path());
            }
        }
    }
    assert_eq!(made, 11);

    place.write("app/config/deploy.yml", "mine: 1\n");
    std::fs::remove_file(place.path("app/.kamal/secrets")).unwrap();
    std::fs::remove_file(place.path("app/.kamal/hooks/pre-build.sample")).unwrap();
    assert_eq!(
        place.succeeds(&["init"]),
        "Config file already exists in config/deploy.yml (remove first to create a new one)\nCreated .kamal/secrets file\n"
    );
    assert_eq!(place.read("app/config/deploy.yml"), "mine: 1\n");
    // There is no gem and no binstub: the program is called `kamal` by a link.
    let said = place.succeeds(&["init", "--bundle"]);
    assert_eq!(
        said.lines().last(),
        Some("Nothing to bundle: dhow is one program and needs no Gemfile")
    );
    assert!(!place.path("app/bin").exists() && !place.path("app/Gemfile").exists());
    assert!(!place.path("app/.kamal/hooks/pre-build.sample").exists());
}

#[test]
fn config_item_18_07_config_after_init() {
    let place = Place::empty().env("VERSION", None);
    place.succeeds(&["init"]);
    let head = place.git();
    let text = place.succeeds(&["config"]);
    assert!(
        text.starts_with("---\n:roles:\n- web\n:hosts:\n- 192.168.0.1\n"),
        "{text}"
    );
    assert!(text.contains(&format!("\n:version: {head}\n")), "{text}");
    assert!(
        text.contains(&format!(
            "\n:absolute_image: localhost:5555/my-user/my-app:{head}\n"
        )),
        "{text}"
    );
}
