//! The barrier between roles, and roles side by side.

use dhow_plan::{Gate, Stage, Track};
use dhow_run::EventKind;

use super::support::{Hosts, parallel, track};

fn opens(mut track: Track) -> Track {
    track.opens = Some(Gate("web".to_owned()));
    track
}

fn waits(mut track: Track) -> Track {
    track.waits_for = Some(Gate("web".to_owned()));
    track
}

#[tokio::test]
async fn item_152_other_roles_start_when_the_first_primary_container_is_healthy() {
    let hosts = Hosts::start(2).await;
    let mut deployer = hosts.deployer();
    let stage = Stage::hosts(
        "boot",
        vec![
            opens(track(1, Some("web"), &["sleep 0.5", "docker healthy"])),
            waits(track(
                2,
                Some("jobs"),
                &["cat $ALL/127.0.0.1/calls", "docker run jobs"],
            )),
        ],
    );
    let outcomes = deployer.run(vec![stage]).await.expect("all well");
    let jobs = outcomes
        .iter()
        .find(|o| o.role.as_deref() == Some("jobs"))
        .unwrap();
    assert_eq!(
        jobs.outputs[0], "docker healthy\n",
        "it ran after the other host was healthy"
    );
    assert_eq!(
        deployer.said(),
        [
            "Waiting for the first healthy web container before booting jobs on 127.0.0.2...",
            "First web container is healthy on 127.0.0.1, booting any other roles",
            "First web container is healthy, booting jobs on 127.0.0.2...",
        ]
    );
}

#[tokio::test]
async fn item_152_when_the_primary_one_fails_the_others_halt_and_start_nothing() {
    let hosts = Hosts::start(2).await;
    let mut deployer = hosts.deployer();
    let stage = Stage::hosts(
        "boot",
        vec![
            opens(track(1, Some("web"), &["sleep 0.2", "exit 1"])),
            waits(track(2, Some("jobs"), &["docker run jobs"])),
        ],
    );
    let failed = deployer.run(vec![stage]).await.unwrap_err();
    let messages: Vec<String> = failed
        .hosts
        .iter()
        .map(|(host, failure)| format!("{}: {}", host.as_deref().unwrap(), failure.message))
        .collect();
    assert_eq!(
        messages,
        [
            "127.0.0.1: exit exit status: 1",
            "127.0.0.2: Halted at barrier"
        ]
    );
    assert!(hosts.calls(2).is_empty());
    assert_eq!(hosts.exchanges(2), 0, "a host that waits is not even asked");
    let told = deployer.told();
    assert!(told.iter().any(
        |e| matches!(e, EventKind::Gate { role, host, open: false } if role == "web" && host == "127.0.0.1")
    ));
    let said: Vec<&str> = told
        .iter()
        .filter_map(|event| match event {
            EventKind::Said { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        said[1..],
        [
            "First web container is unhealthy on 127.0.0.1, not booting any other roles",
            "First web container is unhealthy, not booting jobs on 127.0.0.2",
        ]
    );
}

/// parity: commands 153, 247
#[tokio::test]
async fn item_156_the_first_result_counts_and_later_failures_halt_nobody() {
    let hosts = Hosts::start(3).await;
    let mut deployer = hosts.deployer();
    let stage = Stage::hosts(
        "boot",
        vec![
            opens(track(1, Some("web"), &["docker healthy"])),
            opens(track(2, Some("web"), &["sleep 0.6", "exit 1"])),
            waits(track(3, Some("jobs"), &["docker run jobs"])),
        ],
    );
    let failed = deployer.run(vec![stage]).await.unwrap_err();
    assert_eq!(failed.hosts.len(), 1);
    assert_eq!(failed.hosts[0].0.as_deref(), Some("127.0.0.2"));
    assert_eq!(hosts.calls(3), ["docker run jobs"]);
    assert_eq!(hosts.calls(1), ["docker healthy"], "what succeeded stays");
    let opened = deployer.said();
    let opened: Vec<&String> = opened
        .iter()
        .filter(|s| s.contains("any other roles"))
        .collect();
    assert_eq!(
        opened,
        ["First web container is healthy on 127.0.0.1, booting any other roles"]
    );
}

#[tokio::test]
async fn a_gate_that_nobody_decides_holds_up_nobody() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let stage = Stage::hosts("boot", vec![waits(track(1, Some("jobs"), &["docker run"]))]);
    deployer.run(vec![stage]).await.expect("all well");
    assert_eq!(hosts.calls(1), ["docker run"]);
}

#[tokio::test]
async fn an_opener_that_can_t_be_reached_closes_its_gate() {
    let hosts = Hosts::start(2).await;
    hosts.server(1).refuse_next(usize::MAX);
    let deployer = hosts.deployer();
    let stage = Stage::hosts(
        "boot",
        vec![
            opens(track(1, Some("web"), &["true"])),
            waits(track(2, Some("jobs"), &["docker run jobs"])),
        ],
    );
    let failed = deployer.run(vec![stage]).await.unwrap_err();
    assert_eq!(failed.hosts.len(), 2);
    assert_eq!(failed.hosts[1].1.message, "Halted at barrier");
    assert!(hosts.calls(2).is_empty());
}

#[tokio::test]
async fn item_157_roles_of_a_host_one_after_the_other() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let roles = vec![
        track(1, Some("web"), &["sleep 0.3", "docker web"]),
        track(1, Some("jobs"), &["docker jobs"]),
    ];
    deployer
        .run(vec![Stage::hosts("boot", roles)])
        .await
        .expect("all well");
    assert_eq!(hosts.calls(1), ["docker web", "docker jobs"]);
    assert_eq!(hosts.exchanges(1), 1);
}

#[tokio::test]
async fn item_157_roles_of_a_host_together_with_parallel_roles() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    // Each waits for the other, so that one after the other they would never end.
    let meet = |mine: &str, other: &str| {
        format!(
            "touch {mine}; n=0; until [ -e {other} ]; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done"
        )
    };
    let roles = vec![
        track(1, Some("web"), &[&meet("a", "b")]),
        track(1, Some("jobs"), &[&meet("b", "a")]),
    ];
    deployer.run(vec![parallel(roles)]).await.expect("all well");
    let connections = &hosts.server(1).counters().connections;
    assert_eq!(
        connections.load(std::sync::atomic::Ordering::SeqCst),
        1,
        "over one connection"
    );
}

#[tokio::test]
async fn a_role_that_fails_ends_the_roles_after_it_on_its_host_only() {
    let hosts = Hosts::start(2).await;
    let deployer = hosts.deployer();
    let roles = vec![
        track(1, Some("web"), &["false"]),
        track(1, Some("jobs"), &["docker jobs"]),
        track(2, Some("web"), &["true"]),
        track(2, Some("jobs"), &["docker jobs"]),
    ];
    let failed = deployer
        .run(vec![Stage::hosts("boot", roles)])
        .await
        .unwrap_err();
    assert_eq!(failed.hosts.len(), 1);
    assert!(hosts.calls(1).is_empty());
    assert_eq!(hosts.calls(2), ["docker jobs"]);
}
