//! Secrets: in no exec request, on no argument list, in no event; files that hold them are their owner's alone.

use std::os::unix::fs::PermissionsExt;

use dhow_commands::Upload;
use dhow_plan::{Stage, Step, Track};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use super::support::{Hosts, name};

const SECRET: &str = "pa$$w0rd 'of` the \"registry\"";

/// Every place where a secret could come to light, as one text.
async fn brought_to_light(steps: Vec<Step>) -> String {
    let hosts = Hosts::start(1).await;
    hosts.docker_does(1, "[ \"$1\" != login ] || cat >login\n");
    let mut deployer = hosts.deployer();
    let mut track = Track::new(&name(1), None, steps);
    track.on_failure = vec![Step::run("evidence", Cmd::new("docker logs"))];
    let failed = deployer
        .run(vec![Stage::hosts("pull", vec![track])])
        .await
        .unwrap_err();
    assert_eq!(
        std::fs::read_to_string(hosts.file(1, "login"))
            .unwrap_or_default()
            .trim_end(),
        SECRET,
        "it did arrive where it was meant to"
    );
    let env = hosts.file(1, "app.env");
    assert_eq!(
        std::fs::read_to_string(&env).unwrap(),
        format!("TOKEN={SECRET}\n")
    );
    assert_eq!(
        std::fs::metadata(&env).unwrap().permissions().mode() & 0o777,
        0o600
    );
    format!(
        "{:?}\n{:?}\n{:?}\n{failed:?}",
        hosts.server(1).commands(),
        hosts.calls(1),
        deployer.told()
    )
}

fn careful() -> Vec<Step> {
    vec![
        Step::run(
            "login",
            Cmd::docker("login -u me --password-stdin").stdin(Secret::new(SECRET)),
        ),
        Step::upload(Upload::secret(
            "app.env",
            0o600,
            Secret::new(format!("TOKEN={SECRET}\n")),
        )),
    ]
}

#[tokio::test]
async fn a_secret_is_nowhere_but_where_it_was_sent() {
    let mut steps = careful();
    steps.push(Step::run("fails", Cmd::new("false")));
    let all = brought_to_light(steps).await;
    assert!(!all.contains("w0rd"), "{all}");
    assert!(all.contains("docker login -u me --password-stdin"), "{all}");
}

#[tokio::test]
async fn and_the_same_look_finds_one_that_is_on_an_argument_list() {
    let mut steps = careful();
    let leak = Cmd::docker("leak -p").hidden(Secret::new("pa55w0rd"));
    steps.push(Step::run("leaks", leak.and(Cmd::new("false"))));
    let all = brought_to_light(steps).await;
    assert!(all.contains("docker leak -p pa55w0rd"), "{all}");
    assert!(
        all.contains("docker leak -p [REDACTED]"),
        "but events say so: {all}"
    );
}

#[tokio::test]
async fn all_that_a_host_is_asked_for_is_a_plain_shell() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let stage = Stage::hosts("pull", vec![Track::new(&name(1), None, careful())]);
    deployer.run(vec![stage]).await.expect("all well");
    assert_eq!(hosts.server(1).commands(), ["sh"]);
}
