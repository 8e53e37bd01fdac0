//! Steps of one host: joined into few exchanges, told one by one.

use dhow_plan::{Stage, Step, Track};
use dhow_run::{EventKind, Failed, Stream};
use dhow_text::shell::Cmd;

use super::support::{Hosts, name, step, track};

/// The host and the failure of the only failed host.
fn only(failed: Failed) -> (String, dhow_run::Failure) {
    let mut hosts = failed.hosts;
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    let (host, failure) = hosts.remove(0);
    (host.expect("a host"), failure)
}

#[tokio::test]
async fn items_59_and_250_all_steps_of_a_run_are_one_connection_and_one_exchange() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    let boot = Track::new(
        &name(1),
        Some("web"),
        vec![
            Step::capture("run", "id", Cmd::new("docker run web; echo abc")),
            step("docker deploy $id"),
        ],
    );
    let stages = vec![
        Stage::hosts(
            "pull",
            vec![track(1, None, &["docker pull a", "docker pull b"])],
        ),
        Stage::hosts("boot", vec![boot]),
        Stage::hosts("tag", vec![track(1, None, &["docker tag"])]),
    ];
    let outcomes = deployer.run(stages).await.expect("all well");
    assert_eq!(
        hosts.calls(1),
        [
            "docker pull a",
            "docker pull b",
            "docker run web",
            "docker deploy abc",
            "docker tag"
        ]
    );
    assert_eq!(hosts.exchanges(1), 1);
    let connections = &hosts.server(1).counters().connections;
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(outcomes.len(), 3);
    assert_eq!(outcomes[1].role.as_deref(), Some("web"));
    assert_eq!(outcomes[1].outputs, ["abc\n", ""]);

    let told = deployer.told();
    let stages: Vec<String> = told
        .iter()
        .filter_map(|event| match event {
            EventKind::StageStarted { stage, hosts } => {
                Some(format!("{stage} {}", hosts.join(",")))
            }
            EventKind::StageFinished { stage, ok, .. } => Some(format!("{stage} {ok}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        stages,
        [
            "pull 127.0.0.1",
            "pull true",
            "boot 127.0.0.1",
            "boot true",
            "tag 127.0.0.1",
            "tag true",
        ]
    );
    let started = told
        .iter()
        .filter(|e| matches!(e, EventKind::StepStarted { .. }));
    assert_eq!(started.count(), 5);
}

#[tokio::test]
async fn every_step_has_its_own_output_exit_code_and_result() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    let steps = vec![
        step("echo out; echo err >&2; printf half"),
        step("exit 3").tolerated(),
        step("echo result").block("App Host").debug(),
    ];
    let stage = Stage::hosts("look", vec![Track::new(&name(1), Some("web"), steps)]);
    deployer.run(vec![stage]).await.expect("all well");
    let mut lines = Vec::new();
    for event in deployer.told() {
        match event {
            EventKind::StepStarted {
                title, role, debug, ..
            } => {
                lines.push(format!("start {title:?} {role:?} {debug}"));
            }
            EventKind::Output { stream, text, .. } => {
                let stream = if stream == Stream::Stdout {
                    "out"
                } else {
                    "err"
                };
                lines.push(format!("{stream} {text}"));
            }
            EventKind::StepFinished {
                exit, tolerated, ..
            } => {
                lines.push(format!("end {exit:?} {tolerated}"));
            }
            EventKind::Block { header, host, text } => {
                lines.push(format!("block {header} {host} {text:?}"));
            }
            _ => {}
        }
    }
    // Two streams come as they come.
    if let Some(at) = lines.iter().position(|line| line == "err err") {
        let line = lines.remove(at);
        lines.insert(1, line);
    }
    assert_eq!(
        lines,
        [
            r#"start "echo out; echo err >&2; printf half" Some("web") false"#,
            "err err",
            "out out",
            "out half",
            "end Some(0) false",
            r#"start "exit 3" Some("web") false"#,
            "end Some(3) true",
            r#"start "echo result" Some("web") true"#,
            "out result",
            "end Some(0) false",
            r#"block App Host 127.0.0.1 "result\n""#,
        ]
    );
}

/// parity: commands 155
#[tokio::test]
async fn item_64_a_failure_has_the_command_its_exit_code_its_output_and_evidence() {
    let hosts = Hosts::start(1).await;
    hosts.docker_does(
        1,
        "case $1 in run) echo started; echo 'port is already allocated' >&2; exit 125;; logs) echo 'no DATABASE_URL';; esac\n",
    );
    let mut deployer = hosts.deployer();
    let mut boot = track(
        1,
        Some("web"),
        &["docker rename", "docker run app", "docker stop old"],
    );
    boot.on_failure = vec![
        Step::run("container log", Cmd::new("docker logs app")),
        step("false"),
        step("docker stop app"),
    ];
    let stages = vec![
        Stage::hosts("boot", vec![boot]),
        Stage::hosts("tag", vec![track(1, None, &["docker tag"])]),
    ];
    let (host, failure) = only(deployer.run(stages).await.unwrap_err());
    assert_eq!(host, "127.0.0.1");
    assert_eq!(failure.class, "SSHKit::Command::Failed");
    assert_eq!(failure.message, "docker exit status: 125");
    assert_eq!(failure.command.as_deref(), Some("docker run app"));
    assert_eq!(failure.exit, Some(125));
    assert!(failure.output.contains("started") && failure.output.contains("allocated"));
    assert_eq!(
        failure.evidence,
        [("container log".to_owned(), "no DATABASE_URL".to_owned())]
    );
    assert!(failure.hint.is_some_and(|hint| hint.contains("port")));
    assert_eq!(
        hosts.calls(1),
        [
            "docker rename",
            "docker run app",
            "docker logs app",
            "docker stop app"
        ],
        "what follows does not run, clean-up does, all of it"
    );
    let told = deployer.told();
    assert!(
        told.iter()
            .any(|e| matches!(e, EventKind::HostFailed { host, .. } if host == "127.0.0.1"))
    );
    assert!(
        !told
            .iter()
            .any(|e| matches!(e, EventKind::StageStarted { stage, .. } if stage == "tag"))
    );
}

#[tokio::test]
async fn a_shell_goes_on_after_a_failure() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let fails = Stage::hosts("one", vec![track(1, None, &["false"])]);
    deployer.run(vec![fails]).await.unwrap_err();
    let works = Stage::hosts("two", vec![track(1, None, &["docker ps"])]);
    deployer.run(vec![works]).await.expect("all well");
    assert_eq!((hosts.calls(1).len(), hosts.exchanges(1)), (1, 1));
}

#[tokio::test]
async fn much_output_of_both_kinds_arrives_whole_and_in_order() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let noisy = "i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; [ $((i % 10)) != 0 ] || echo \"noise $i\" >&2; i=$((i + 1)); done";
    let stage = Stage::hosts("look", vec![track(1, None, &[noisy, "echo after"])]);
    let outcomes = deployer.run(vec![stage]).await.expect("all well");
    let wanted: String = (0..20000).map(|i| format!("line {i}\n")).collect();
    assert!(
        outcomes[0].outputs[0] == wanted,
        "{} bytes",
        outcomes[0].outputs[0].len()
    );
    assert_eq!(outcomes[0].outputs[1], "after\n");
}

#[tokio::test]
async fn a_hosts_work_is_summed_up() {
    let hosts = Hosts::start(1).await;
    let mut deployer = hosts.deployer();
    {
        let executor = deployer.executor();
        let plan = dhow_plan::Plan {
            stages: vec![Stage::hosts(
                "look",
                vec![track(1, None, &["true", "true"])],
            )],
        };
        executor.execute(&plan).await.expect("all well");
        executor.summarise();
    }
    assert!(deployer.told().iter().any(
        |e| matches!(e, EventKind::HostFinished { host, steps: 2, .. } if host == "127.0.0.1")
    ));
}
