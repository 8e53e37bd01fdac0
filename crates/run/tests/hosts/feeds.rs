//! Large inputs: an exchange of their own, with progress.

use std::sync::Arc;

use dhow_plan::{Stage, Step, Track};
use dhow_run::EventKind;
use dhow_text::shell::Cmd;

use super::support::{Hosts, name, step};

fn content(length: usize) -> Arc<[u8]> {
    let bytes: Vec<u8> = (0..length)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect();
    bytes.into()
}

#[tokio::test]
async fn every_byte_arrives_between_the_steps_around_it() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    let content = content(3_000_001);
    let steps = vec![
        Step::capture("before", "id", Cmd::new("docker before; echo abc")),
        Step::feed(
            "loading",
            Cmd::new("docker load; cat >image; echo loaded"),
            content.clone(),
        ),
        step("docker after $id"),
    ];
    let stage = Stage::hosts("proxy", vec![Track::new(&name(1), None, steps)]);
    let outcomes = deployer.run(vec![stage]).await.expect("all well");
    assert!(std::fs::read(hosts.file(1, "image")).unwrap() == content[..]);
    assert_eq!(
        hosts.calls(1),
        ["docker before", "docker load", "docker after abc"]
    );
    assert_eq!(outcomes[0].outputs, ["abc\n", "loaded\n", ""]);
    assert_eq!(hosts.exchanges(1), 2, "the shell's and its own");

    let mut last = 0;
    let mut looks = 0;
    for event in deployer.told() {
        if let EventKind::Progress { done, total, .. } = event {
            assert!(
                done > last && total == Some(3_000_001),
                "{done} of {total:?} after {last}"
            );
            last = done;
            looks += 1;
        }
    }
    assert_eq!(last, 3_000_001);
    assert!(looks > 10, "{looks}");
}

#[tokio::test]
async fn a_command_that_takes_nothing_is_told_in_its_own_words_and_cleaned_up_after() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    let mut track = Track::new(
        &name(1),
        None,
        vec![
            Step::feed(
                "loading",
                Cmd::new("echo 'no space left on device' >&2; exit 9"),
                content(2_000_000),
            ),
            step("docker after"),
        ],
    );
    track.on_failure = vec![step("docker clean-up")];
    let failed = deployer
        .run(vec![Stage::hosts("proxy", vec![track])])
        .await
        .unwrap_err();
    let failure = &failed.hosts[0].1;
    assert_eq!(failure.exit, Some(9), "{failure:?}");
    assert!(failure.output.contains("no space left"));
    assert!(
        failure
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("disk"))
    );
    assert_eq!(hosts.calls(1), ["docker clean-up"]);
    let ended = deployer.told().into_iter().any(|e| {
        matches!(
            e,
            EventKind::StepFinished {
                exit: Some(9),
                tolerated: false,
                ..
            }
        )
    });
    assert!(ended);
}

#[tokio::test]
async fn a_transfer_that_is_cut_is_a_failure_of_its_host() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    let steps = vec![
        Step::feed("loading", Cmd::new("touch begun; sleep 30"), content(64)),
        step("docker after"),
    ];
    let plan = dhow_plan::Plan {
        stages: vec![Stage::hosts(
            "proxy",
            vec![Track::new(&name(1), None, steps)],
        )],
    };
    let cut = async {
        while !hosts.file(1, "begun").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        hosts.server(1).cut();
    };
    let failed = {
        let executor = deployer.executor();
        let (ended, ()) =
            super::support::soon(async { tokio::join!(executor.execute(&plan), cut) }).await;
        ended.unwrap_err()
    };
    assert_eq!(failed.hosts.len(), 1);
    assert!(hosts.calls(1).is_empty());
    assert!(
        deployer
            .told()
            .iter()
            .any(|e| matches!(e, EventKind::StepFinished { exit: None, .. }))
    );
}
