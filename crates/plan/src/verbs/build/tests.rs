//! Decisions of builds, on deploy files as people write them.

use std::collections::{HashMap, HashSet};

use dhow_commands::audit::AuditContext;
use dhow_config::{Inputs, Outside};
use dhow_text::source::Source;

use super::*;
use crate::context::Random;
use crate::select::{Filter, select};
use crate::step::Work;

struct Nowhere;

impl Outside for Nowhere {
    fn file_exists(&self, _: &str) -> bool {
        false
    }

    fn docker_architecture(&self) -> String {
        "amd64".to_owned()
    }
}

const HUB: &str = "registry: { username: me, password: [PASSWORD] }\n";
const LOCAL: &str = "registry: { server: 'localhost:5000' }\n";

fn config(registry: &str, builder: &str) -> Config {
    let text = format!(
        "service: app\nimage: me/app\nservers: [1.1.1.1]\n{registry}builder: {{ arch: amd64{builder} }}\n"
    );
    let inputs = Inputs {
        base: Source {
            name: "config/deploy.yml".into(),
            text: text.into(),
        },
        overlay: None,
        destination: None,
        outside: &Nowhere,
    };
    dhow_config::load(&inputs).expect("a deploy file").config
}

fn secrets() -> HashMap<String, Secret> {
    [("PASSWORD", "hunter22"), ("TOKEN", "t0ken-value")]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .into()
}

/// Calls `f` with the context of version `123` and the builder of a docker on amd64.
fn with<T>(
    config: &Config,
    secrets: &HashMap<String, Secret>,
    f: impl FnOnce(&Context<'_>, &ImageBuilder<'_>) -> T,
) -> T {
    let context = Context {
        targets: select(config, &Filter::default()).expect("targets"),
        version: "123".to_owned(),
        audit: AuditContext {
            recorded_at: "2026-01-02T03:04:05Z",
            performer: "me",
            destination: None,
        },
        secrets,
        hooks: HashSet::from(["pre-build".to_owned()]),
        hook_env: Vec::new(),
        random: Random::new(1),
    };
    f(&context, &ImageBuilder::new(config, Some("amd64")))
}

fn argv(step: &LocalStep) -> String {
    match step {
        LocalStep::Run { argv, .. } => argv.join(" "),
        LocalStep::Hook { name, .. } => format!("hook {name}"),
        LocalStep::Wait { .. } => "wait".to_owned(),
    }
}

const PUSH: Wanted<'static> = Wanted {
    output: "registry",
    no_cache: false,
    dirty: false,
};

#[test]
fn item_223_what_is_missing() {
    for (exit, output) in [
        (127, "sh: 1: docker: not found"),
        (1, "bash: docker: command not found"),
    ] {
        assert_eq!(
            docker_missing(exit, output).0,
            "Docker is not installed locally"
        );
    }
    assert_eq!(
        docker_missing(1, "docker: 'buildx' is not a docker command.").0,
        "Docker buildx plugin is not installed locally"
    );
}

#[test]
fn item_222_and_228_a_login_with_the_password_on_the_standard_input() {
    let config = config(HUB, "");
    let gained = with(&config, &secrets(), access).unwrap();
    let Access::Login(LocalStep::Run {
        argv, shown, stdin, ..
    }) = gained
    else {
        panic!("{gained:?}");
    };
    assert_eq!(argv.join(" "), "docker login -u me --password-stdin");
    assert_eq!(
        shown.as_deref(),
        Some("docker login -u [REDACTED] --password-stdin")
    );
    assert_eq!(stdin, Some(Secret::new("hunter22")));

    let ghcr = "registry: { server: ghcr.io, username: 'a b', password: [PASSWORD] }\n";
    let config = self::config(ghcr, "");
    let gained = with(&config, &secrets(), access).unwrap();
    let Access::Login(LocalStep::Run { argv, .. }) = gained else {
        panic!("{gained:?}");
    };
    assert_eq!(argv[2..5], ["ghcr.io", "-u", "a b"]);
}

#[test]
fn item_228_no_login_for_build_hosts_but_the_local_registry_runs_even_then() {
    const REMOTE: &str = ", remote: 'ssh://app@1.1.1.5', local: false";
    let config = config(HUB, REMOTE);
    let hub = with(&config, &HashMap::new(), access).unwrap();
    assert!(matches!(hub, Access::AsItIs), "{hub:?}");

    for builder in ["", REMOTE] {
        let config = self::config(LOCAL, builder);
        let local = with(&config, &HashMap::new(), access).unwrap();
        let Access::StartLocal(step) = local else {
            panic!("{local:?}");
        };
        assert_eq!(
            argv(&step),
            "sh -c docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5000:5000 --name kamal-docker-registry registry:3"
        );
    }
}

#[test]
fn a_secret_that_is_not_there_is_named() {
    let config = config(HUB, ", secrets: [NONE]");
    let secrets = secrets();
    let error = with(&config, &secrets, |c, b| {
        build(c, b, PUSH, None, |_| None, Vec::new())
    });
    assert_eq!(error.unwrap_err(), PlanError::Secret("NONE".to_owned()));
    let error = with(&config, &HashMap::new(), access);
    assert_eq!(error.unwrap_err(), PlanError::Secret("PASSWORD".to_owned()));
}

#[test]
fn item_222_uncommitted_changes() {
    assert_eq!(uncommitted("", true), None);
    assert_eq!(uncommitted("\n", false), None);
    assert_eq!(
        uncommitted(" M a.rb\n?? b\n", true).as_deref(),
        Some(
            "Building from a local git clone, so ignoring these uncommitted changes:\n M a.rb\n?? b"
        )
    );
    assert_eq!(
        uncommitted("?? b\n", false).as_deref(),
        Some("Building with uncommitted changes:\n ?? b")
    );
}

/// parity: config 9.08
#[test]
fn item_229_a_copy_only_of_a_repository_and_without_a_context() {
    let plain = config(HUB, "");
    let there = copy(&plain, "/tmp", Some("/srv/app"), "/srv/app").expect("a copy");
    assert!(there.build_directory.starts_with("/tmp/kamal-clones/app-"));
    assert_eq!(copy(&plain, "/tmp", None, "/srv/app"), None);
    let context = config(HUB, ", context: '.'");
    assert_eq!(copy(&context, "/tmp", Some("/srv/app"), "/srv/app"), None);
}

#[test]
fn item_229_a_copy_is_looked_at() {
    let copy = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app");
    let directory = copy.build_directory.clone();
    assert_eq!(copy_trouble(&copy, "\n", "abc\n", "abc"), None);
    assert_eq!(
        copy_trouble(&copy, "?? x\n", "abc", "abc"),
        Some(format!("Clone in {directory} is dirty, ?? x"))
    );
    assert_eq!(
        copy_trouble(&copy, "", "abc", "def"),
        Some(format!(
            "Clone in {directory} is not on the correct revision, expected `def` but got `abc`"
        ))
    );
}

#[test]
fn item_225_which_failures_mean_that_there_is_no_builder() {
    for (text, missing, nothing) in [
        ("ERROR: no builder \"kamal\" found", true, true),
        ("context not found", true, true),
        ("context \"x\": does not exist", true, true),
        ("no compatible builder", true, false),
        ("Cannot connect to the Docker daemon", false, false),
    ] {
        assert_eq!(is_builder_missing(text), missing, "{text}");
        assert_eq!(is_nothing_to_remove(text), nothing, "{text}");
    }
}

#[test]
fn item_230_no_dockerfile_for_buildpacks() {
    let plain = config(HUB, ", dockerfile: docker/App");
    let found = with(&plain, &HashMap::new(), |_, b| {
        dockerfile(&plain, b).map(str::to_owned)
    });
    assert_eq!(found.as_deref(), Some("docker/App"));
    let pack = config(HUB, ", pack: { builder: heroku/builder }");
    let found = with(&pack, &HashMap::new(), |_, b| {
        dockerfile(&pack, b).map(str::to_owned)
    });
    assert_eq!(found, None);
}

#[test]
fn item_233_build_hosts() {
    let host = |user: Option<&str>, host: &str, port| BuildHost {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    };
    for (url, expected) in [
        (
            "ssh://app@1.1.1.5",
            Some(host(Some("app"), "1.1.1.5", None)),
        ),
        (
            "ssh://app@build.example.com:2222/",
            Some(host(Some("app"), "build.example.com", Some(2222))),
        ),
        ("ssh://build", Some(host(None, "build", None))),
        (
            "ssh://a@[2001:db8::1]:22",
            Some(host(Some("a"), "2001:db8::1", Some(22))),
        ),
        ("ssh://[::1]", Some(host(None, "::1", None))),
        ("tcp://1.1.1.5:2375", None),
    ] {
        assert_eq!(build_host(url), expected, "{url}");
    }
}

#[test]
fn item_234_secrets_and_arguments_go_by_environment() {
    let config = config(HUB, ", secrets: [TOKEN], args: { SHA: '${GIT_SHA}' }");
    let secrets = secrets();
    let more = vec![("DOCKER_CONFIG".to_owned(), Secret::new("/tmp/x"))];
    let environment = |name: &str| (name == "GIT_SHA").then(|| "abc".to_owned());
    let step = with(&config, &secrets, |c, b| {
        build(c, b, PUSH, Some("/tmp/copy/app/"), environment, more)
    });
    let LocalStep::Run {
        argv,
        env,
        directory,
        ..
    } = step.unwrap()
    else {
        panic!("a program")
    };
    assert_eq!(
        argv,
        [
            "sh",
            "-c",
            r#"docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-local-docker-container -t me/app:123 -t me/app:latest --label service="app" --build-arg SHA --secret id="TOKEN" --file Dockerfile . 2>&1"#
        ]
    );
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    assert_eq!(
        env,
        [
            ("SHA", "abc"),
            ("TOKEN", "t0ken-value"),
            ("DOCKER_CONFIG", "/tmp/x")
        ]
    );
    assert_eq!(directory.as_deref(), Some("/tmp/copy/app/"));
}

#[test]
fn the_outline_is_the_whole_story_in_order() {
    let config = config(HUB, "");
    let copy = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app");
    let stages = with(&config, &secrets(), |c, b| outline(c, b, PUSH, Some(&copy))).unwrap();
    let lines: Vec<String> = stages
        .iter()
        .flat_map(|stage| match &stage.work {
            Work::Local(steps) => steps.iter().map(argv).collect(),
            Work::Hosts { .. } => vec!["on hosts".to_owned()],
        })
        .collect();
    let directory = &copy.directory;
    assert_eq!(
        lines,
        [
            "sh -c docker --version && docker buildx version".to_owned(),
            "docker login -u me --password-stdin".to_owned(),
            "hook pre-build".to_owned(),
            format!("mkdir -p {directory}"),
            format!("git -C {directory} clone /srv/app --recurse-submodules"),
            "sh -c docker buildx inspect kamal-local-docker-container".to_owned(),
            r#"sh -c docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-local-docker-container -t me/app:123 -t me/app:latest --label service="app" --file Dockerfile . 2>&1"#.to_owned(),
        ]
    );
}

#[test]
fn item_231_only_files_that_the_build_sees_are_warned_of() {
    let context = ["a.rb", "b/c.rb", "log.txt"].map(str::to_owned).into();
    assert_eq!(
        dev_warnings(
            &context,
            "b/c.rb\nignored\na.rb\n",
            "log.txt\nnode_modules/x\n"
        ),
        [
            "WARNING: Files with uncommitted changes will be present in the dev container:\n  a.rb\n  b/c.rb",
            "WARNING: Untracked files will be present in the dev container:\n  log.txt",
        ]
    );
    assert!(dev_warnings(&context, "ignored\n", "").is_empty());
    assert_eq!(
        argv(&export_context("/tmp/x/Dockerfile", "/tmp/x/context")),
        "docker buildx build --output=type=local,dest=/tmp/x/context -f /tmp/x/Dockerfile ."
    );
}
