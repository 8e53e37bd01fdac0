//! Many hosts, and hosts that are lost.

use dhow_plan::{Stage, Track};
use dhow_run::EventKind;

use super::support::{Hosts, name, soon, track};

#[tokio::test]
async fn item_60_twelve_hosts_work_at_once_over_a_connection_and_an_exchange_each() {
    let hosts = Hosts::start(12).await;
    let deployer = hosts.deployer();
    // No host ends before all twelve have begun.
    let meet = "touch $ALL/$$.here; n=0; until [ $(ls $ALL/*.here | wc -l) = 12 ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.1; done";
    let tracks: Vec<Track> = (1..=12)
        .map(|n| track(n, None, &[meet, "docker ps"]))
        .collect();
    let after: Vec<Track> = (1..=12)
        .map(|n| track(n, None, &["ls $ALL/*/calls | wc -l"]))
        .collect();
    let outcomes = deployer
        .run(vec![
            Stage::hosts("one", tracks),
            Stage::hosts("two", after),
        ])
        .await
        .expect("all well");
    assert_eq!(outcomes.len(), 24);
    for outcome in &outcomes[12..] {
        assert_eq!(
            outcome.outputs[0].trim(),
            "12",
            "a stage waits for all hosts"
        );
    }
    for number in 1..=12 {
        assert_eq!(hosts.exchanges(number), 1);
        let connections = &hosts.server(number).counters().connections;
        assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}

/// parity: commands 60
#[tokio::test]
async fn item_245_a_host_that_fails_does_not_stop_the_others_in_its_stage_but_the_next_stage() {
    let hosts = Hosts::start(3).await;
    let deployer = hosts.deployer();
    let tracks = vec![
        track(1, None, &["false"]),
        track(2, None, &["sleep 0.5", "docker two"]),
        track(3, None, &["sleep 0.5", "exit 4"]),
    ];
    let next = vec![track(2, None, &["docker next"])];
    let failed = deployer
        .run(vec![Stage::hosts("one", tracks), Stage::hosts("two", next)])
        .await
        .unwrap_err();
    let who: Vec<&str> = failed
        .hosts
        .iter()
        .filter_map(|(host, _)| host.as_deref())
        .collect();
    assert_eq!(who, ["127.0.0.1", "127.0.0.3"]);
    assert_eq!(hosts.calls(2), ["docker two"]);
}

#[tokio::test]
async fn a_host_that_can_t_be_reached_is_told_and_the_others_finish() {
    let hosts = Hosts::start(2).await;
    hosts.server(1).refuse_next(usize::MAX);
    let mut deployer = hosts.deployer();
    let tracks = vec![
        track(1, None, &["docker one"]),
        track(2, None, &["docker two"]),
    ];
    let failed = deployer
        .run(vec![Stage::hosts("one", tracks)])
        .await
        .unwrap_err();
    assert_eq!(failed.hosts.len(), 1);
    assert_eq!(failed.hosts[0].0.as_deref(), Some("127.0.0.1"));
    assert!(!failed.hosts[0].1.message.is_empty());
    assert_eq!(hosts.calls(2), ["docker two"]);
    assert!(
        deployer
            .told()
            .iter()
            .any(|e| matches!(e, EventKind::HostFailed { host, .. } if host == "127.0.0.1"))
    );
}

#[tokio::test]
async fn a_connection_that_is_cut_ends_its_host_at_that_step_and_no_other_host() {
    let hosts = Hosts::start(2).await;
    let mut deployer = hosts.deployer();
    let waits = "touch waits; n=0; until [ -e go ]; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done";
    let mut first = track(1, Some("web"), &["docker before", waits, "docker after"]);
    first.on_failure = vec![super::support::step("docker clean-up")];
    let second = track(2, Some("web"), &["docker before", waits, "docker after"]);
    let plan = dhow_plan::Plan {
        stages: vec![
            Stage::hosts("boot", vec![first, second]),
            Stage::hosts("tag", vec![track(2, None, &["docker tag"])]),
        ],
    };
    let cut = async {
        for number in [1, 2] {
            while !hosts.file(number, "waits").exists() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        hosts.server(1).cut();
        // Only when the first host is known to be lost does the second one go on.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        for number in [1, 2] {
            std::fs::write(hosts.file(number, "go"), "").unwrap();
        }
    };
    let failed = {
        let executor = deployer.executor();
        let (ended, ()) = soon(async { tokio::join!(executor.execute(&plan), cut) }).await;
        ended.unwrap_err()
    };
    assert_eq!(failed.hosts.len(), 1, "{failed:?}");
    let (host, failure) = &failed.hosts[0];
    assert_eq!(host.as_deref(), Some("127.0.0.1"));
    assert_eq!(
        failure.command.as_deref(),
        Some(waits),
        "the step that was under way is named"
    );
    assert_eq!(hosts.calls(1), ["docker before"], "nothing further starts");
    assert_eq!(
        hosts.calls(2),
        ["docker before", "docker after"],
        "and no stage after it"
    );
    let unfinished = deployer
        .told()
        .into_iter()
        .filter(|e| matches!(e, EventKind::StepFinished { exit: None, .. }))
        .count();
    assert_eq!(unfinished, 1);
}

#[tokio::test]
async fn a_look_gives_every_answer_and_every_failure() {
    let hosts = Hosts::start(3).await;
    hosts.server(2).refuse_next(usize::MAX);
    let deployer = hosts.deployer();
    let tracks = (1..=3).map(|n| track(n, None, &["echo seen"])).collect();
    let outcomes = soon(deployer.executor().ask(tracks)).await;
    let answers: Vec<(String, bool)> = outcomes
        .iter()
        .map(|o| (o.host.clone(), o.failure.is_none()))
        .collect();
    assert_eq!(
        answers,
        [(name(1), true), (name(2), false), (name(3), true)]
    );
    assert_eq!(outcomes[2].outputs, ["seen\n"]);
}
