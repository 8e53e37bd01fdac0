//! What a track does when it fails: it must never touch what serves.

use std::fmt::Write;

use dhow_plan::verbs::boot::boot;
use dhow_plan::verbs::pull;
use dhow_plan::{Step, Track};

use super::support::{Found, facts, proxied, track, two_roles, what, world};

fn clean_up(track: &Track) -> Vec<String> {
    track.on_failure.iter().map(what).collect()
}

/// Runs clean-up steps in a real shell in which docker writes down what it is asked, and answers `proxy list` with `served`.
fn run(steps: &[Step], started: Option<&str>, served: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut program = format!(
        "docker() {{ echo \"$*\" >>calls; case \"$*\" in *' list') echo '{served}';; esac; }}\ndhow_id={}\n",
        started.unwrap_or_default()
    );
    for step in steps {
        let _ = writeln!(program, "( {} )", what(step));
    }
    let ended = std::process::Command::new("sh")
        .current_dir(&directory)
        .args(["-c", &program])
        .output()
        .unwrap();
    assert!(ended.stderr.is_empty(), "{ended:?}");
    assert!(started.is_some() || ended.stdout.is_empty(), "{ended:?}");
    let calls = std::fs::read_to_string(directory.path().join("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn items_155_and_246_evidence_then_the_new_container_is_stopped_and_nothing_else() {
    let world = two_roles();
    let seen = facts([("h1", proxied().and("web", "app-web-1", "running"))]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    for (role, timeout) in [("web", ""), ("workers", "-t 30 ")] {
        let track = track(&stages, "h1", role);
        let titles: Vec<&str> = track.on_failure.iter().map(|s| s.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "container log",
                "container state",
                "container health",
                "stopping the new container"
            ]
        );
        let calls = run(&track.on_failure, Some(ID), "app-web 11aa22bb33cc:80");
        assert_eq!(calls[0], format!("logs --timestamps --tail 40 {ID}"));
        assert!(calls[1].contains("{{.State.Status}}, exit code") && calls[1].ends_with(ID));
        assert!(calls[2].contains(".State.Health") && calls[2].ends_with(ID));
        assert_eq!(calls.last().unwrap(), &format!("stop {timeout}{ID}"));
    }
}

#[test]
fn a_failure_before_the_new_container_is_there_touches_no_container() {
    // The version that serves has the very name that the new container would get.
    let world = two_roles();
    let seen = facts([(
        "h1",
        proxied()
            .and("web", "app-web-2", "running")
            .and("workers", "app-workers-2", "running"),
    )]);
    let stages = boot(&world.context("2"), &seen, &[]).unwrap();
    for role in ["web", "workers"] {
        let track = track(&stages, "h1", role);
        assert_eq!(
            run(&track.on_failure, None, ""),
            Vec::<String>::new(),
            "{role}"
        );
        for command in clean_up(track) {
            assert!(!command.contains(&format!("app-{role}-2")), "{command}");
        }
    }
}

#[test]
fn a_new_container_that_the_proxy_has_switched_to_goes_on() {
    let world = two_roles();
    let stages = boot(&world.context("2"), &facts([]), &[]).unwrap();
    let track = track(&stages, "h1", "web");
    let calls = run(
        &track.on_failure,
        Some(ID),
        "app-web 0123456789ab:80 running",
    );
    assert!(calls.iter().any(|call| call.ends_with(" list")));
    assert!(
        !calls.iter().any(|call| call.starts_with("stop")),
        "{calls:?}"
    );
}

#[test]
fn a_pull_leaves_no_login_when_it_fails() {
    let world = world("servers: [h1]\n");
    let stages = pull::pull(&world.context("2"), &facts([])).unwrap();
    let dhow_plan::Work::Hosts { tracks, .. } = &stages[0].work else {
        panic!("a stage on hosts");
    };
    assert_eq!(clean_up(&tracks[0]), [r#"rm -rf "$dhow_auth""#]);
    assert_eq!(tracks[0].steps[0].title, "preparing the registry login");
}

#[test]
fn exec_in_a_new_container_and_accessories_leave_no_login_either() {
    use dhow_commands::app::ExecOptions;
    use dhow_plan::verbs::{accessory, app};
    let world = world("servers: [h1]\naccessories: { db: { image: 'me/db:1', host: h1 } }\n");
    let context = world.context("2");
    let db = world.config.accessory("db").unwrap();
    let all = [
        app::exec_new(&context, "2", &ExecOptions::default(), "ls").unwrap(),
        app::before_interactive(&context, "2").unwrap(),
        accessory::boot(&context, db, &[], &[]).unwrap(),
        accessory::reboot(&context, db, &[]).unwrap(),
        accessory::pull_image(&context, db).unwrap(),
        accessory::exec(&context, db, "ls", false).unwrap(),
        accessory::before_interactive(&context, db, "h1").unwrap(),
    ];
    for stages in &all {
        let dhow_plan::Work::Hosts { tracks, .. } = &stages[0].work else {
            panic!("a stage on hosts");
        };
        assert_eq!(
            clean_up(&tracks[0]),
            [r#"rm -rf "$dhow_auth""#],
            "{tracks:?}"
        );
    }
}
