//! `app …`

use super::world::World;

const PROXIED: &str = "servers:\n  web: [127.0.0.1, 127.0.0.2]\n  jobs: { hosts: [127.0.0.2], cmd: work }\nproxy: { host: example.com }\n";
const ONE: &str = "servers: [127.0.0.1]\nproxy: { host: example.com }\n";

#[test]
fn item_178_raw_is_the_commands_bytes_and_nothing_else() {
    let world = World::new(ONE);
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    world.docker_does(
        1,
        "[ \"$1\" != exec ] || { printf 'a\\000\\377\\r\\n\\033[31m no end'; echo noise >&2; }\n",
    );
    let ended = world.dhow(&["app", "exec", "--raw", "--reuse", "dump"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, b"a\0\xff\r\n\x1b[31m no end");
    assert!(
        world
            .calls(1)
            .contains(&"docker exec app-web-v7 dump".to_owned())
    );
    assert!(world.audit(1)[0].contains("Executed cmd 'dump' on app version v7"));
}

#[test]
fn item_178_raw_in_a_new_container_logs_in_before_and_leaves_nothing() {
    let world = World::new(ONE);
    world.docker_does(
        1,
        "case $1 in image) exit 1;; login) mkdir -p seen; echo \"$DOCKER_CONFIG\" >seen/config; cat >seen/password;; run) printf result;; esac\n",
    );
    let ended = world.dhow(&["app", "exec", "--raw", "dump"]);
    assert_eq!(
        (ended.code, ended.text().as_str()),
        (0, "result"),
        "{}",
        ended.stderr
    );
    let config = std::fs::read_to_string(world.path("1/seen/config")).unwrap();
    assert!(!std::path::Path::new(config.trim()).exists());
    assert!(!world.requests(1).concat().contains("passw0rd"));
    let asked = world.calls(1).join("\n");
    assert!(asked.contains("docker pull me/app:latest\n"), "{asked}");
    assert!(
        asked.contains("docker run --rm --name app-web-exec-latest-"),
        "{asked}"
    );
}

#[test]
fn item_178_raw_of_several_hosts_comes_host_by_host_and_fails_when_one_fails() {
    let world = World::new("servers: [127.0.0.1, 127.0.0.2]\n");
    for host in [1, 2] {
        world.container(host, "app-web-v7", "running", "web", "me/app:v7");
    }
    world.docker_does(1, "sleep 0.3; printf one\n");
    world.docker_does(2, "printf two\n");
    assert_eq!(
        world.succeeds(&["app", "exec", "--raw", "--reuse", "x"]),
        "onetwo"
    );
    world.docker_does(2, "echo broken >&2; exit 4\n");
    let failed = world.fails(&["app", "exec", "--raw", "--reuse", "x"]);
    assert!(failed.starts_with("one"), "{failed}");
    assert!(
        failed.contains("docker exit status: 4") && failed.contains("broken"),
        "{failed}"
    );
}

#[test]
fn item_174_what_excludes_what() {
    let world = World::new(ONE);
    for (arguments, text) in [
        (
            &["-i", "--detach", "x"][..],
            "Detach is not compatible with interactive",
        ),
        (
            &["--reuse", "--detach", "x"],
            "Detach is not compatible with reuse",
        ),
        (
            &["-i", "--reuse", "--detach", "x"],
            "Detach is not compatible with interactive or reuse",
        ),
        (
            &["--raw", "-i", "x"],
            "Raw is not compatible with interactive",
        ),
        (
            &["--raw", "--detach", "x"],
            "Raw is not compatible with detach",
        ),
        (
            &[],
            "No command provided. You must specify a command to execute.",
        ),
    ] {
        let failed = world.fails(&[&["app", "exec"], arguments].concat());
        assert!(
            failed.contains(&format!("ERROR (ArgumentError): {text}\u{1b}")),
            "{failed}"
        );
    }
    assert!(world.requests(1).is_empty(), "nothing was connected");
}

#[test]
fn item_168_stale_containers_are_told_and_with_stop_stopped() {
    let world = World::new(PROXIED);
    world.container(2, "app-jobs-v7", "running", "jobs", "me/app:v7");
    world.container(2, "app-jobs-v6", "running", "jobs", "me/app:v6");
    world.container(2, "app-jobs-v5", "exited", "jobs", "me/app:v5");
    let told = world.succeeds(&["app", "stale_containers"]);
    assert!(
        told.contains("App Host: 127.0.0.2\nDetected stale container for role jobs with version v6 (use `kamal app stale_containers --stop` to stop)\n\n"),
        "{told}"
    );
    assert!(
        !told.contains("deploy lock") && !told.contains("v5"),
        "{told}"
    );
    assert!(world.calls(2).is_empty());

    let told = world.succeeds(&["app", "stale_containers", "--stop"]);
    assert!(
        told.contains("Acquiring the deploy lock...")
            && told.contains("Releasing the deploy lock...")
    );
    assert!(
        told.contains(
            "App Host: 127.0.0.2\nStopping stale container for role jobs with version v6\n\n"
        ),
        "{told}"
    );
    assert_eq!(world.calls(2), ["docker stop -t 30 app-jobs-v6"]);
}

#[test]
fn a_container_that_the_proxy_serves_from_is_not_stopped_as_stale() {
    let world = World::new(ONE);
    world.container(1, "app-web-b", "running", "web", "me/app:b");
    world.container(1, "app-web-a", "running", "web", "me/app:a");
    // The older one serves: the deploy of the newer one was cut off.
    let id: String = format!("{:0<64}", "aeba").chars().take(12).collect();
    world.docker_does(
        1,
        &format!("case $* in *' list') echo 'app-web {id}:80';; esac\n"),
    );
    world.succeeds(&["app", "stale_containers", "--stop"]);
    assert_eq!(world.calls(1), ["docker exec kamal-proxy kamal-proxy list"]);
}

#[test]
fn item_173_maintenance_and_live() {
    let world = World::new(PROXIED);
    let told = world.succeeds(&["app", "maintenance", "--message", "Back $soon"]);
    assert!(told.contains("Acquiring the deploy lock..."), "{told}");
    world.succeeds(&["app", "maintenance", "--drain-timeout", "5"]);
    world.succeeds(&["app", "live"]);
    let asked = [
        "docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout=30s --message=Back $soon",
        "docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout=5s",
        "docker exec kamal-proxy kamal-proxy resume app-web",
    ];
    assert_eq!(world.calls(1), asked);
    assert_eq!(world.calls(2), asked, "the role without proxy is not told");
}

/// parity: commands 172
#[test]
fn item_171_pieces_of_remove() {
    let world = World::new(PROXIED);
    let filters = "--filter label=service=app --filter label=destination= --filter label=role=";
    world.succeeds(&["app", "remove_containers", "-r", "jobs"]);
    assert_eq!(
        world.calls(2),
        [format!("docker container prune --force {filters}jobs")]
    );
    // `web` is on that host too, and was not asked for.
    world.succeeds(&["app", "remove_images", "-r", "jobs"]);
    assert_eq!(world.calls(2).len(), 1);
    world.succeeds(&["app", "remove_images", "-h", "127.0.0.1"]);
    assert_eq!(
        world.calls(1),
        ["docker image prune --all --force --filter label=service=app"]
    );
    std::fs::create_dir_all(world.path("1/.kamal/apps/app/env")).unwrap();
    std::fs::create_dir_all(world.path("1/.kamal/apps/other")).unwrap();
    world.succeeds(&["app", "remove_app_directories"]);
    assert!(!world.path("1/.kamal/apps/app").exists());
    assert!(world.path("1/.kamal/apps/other").exists());
    world.docker_does(1, "[ \"$2\" != ls ] || echo abc\n");
    world.succeeds(&["app", "remove_container", "v6", "-h", "127.0.0.1"]);
    assert_eq!(world.calls(1).last().unwrap(), "docker container rm abc");
    assert_eq!(
        world.audit(1).last().unwrap(),
        "[web] Removed app container with version v6"
    );
}

/// parity: commands 97
#[test]
fn item_108_pre_connect_runs_once_before_anything_and_never_in_a_dry_run() {
    let world = World::new(ONE);
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    world.hook("pre-connect");
    world.hook("pre-deploy");
    for arguments in [
        &["app", "details"][..],
        &["app", "stop"],
        &["app", "exec", "--reuse", "x"],
        &["app", "live"],
        &["details"],
        &["audit"],
        &["prune", "all"],
        &["proxy", "details"],
        &["proxy", "start"],
        &["lock", "status"],
        &["server", "exec", "true"],
    ] {
        std::fs::write(world.path("1/.kamal/app-audit.log"), "").ok();
        world.dhow(arguments);
        let hooks = world.hooks();
        let command = arguments[0];
        assert_eq!(hooks.len(), 1, "{arguments:?}: {hooks:?}");
        assert!(
            hooks[0].starts_with(&format!("pre-connect false {command}")),
            "{hooks:?}"
        );
        std::fs::remove_file(world.path("hooks")).unwrap();
        world.dhow(&dry(arguments));
        assert!(world.hooks().is_empty(), "{arguments:?}");
    }
    world.succeeds(&["app", "details", "-H"]);
    assert!(world.hooks().is_empty());
}

/// The same with `--dry-run` after the command's own name: behind the name of a command to execute it would be that one's.
fn dry<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut dry = arguments.to_vec();
    let at = arguments.iter().position(|word| *word == "exec");
    dry.insert(at.map_or(dry.len(), |at| at + 1), "--dry-run");
    dry
}

#[test]
fn a_dry_run_asks_and_changes_nothing() {
    let world = World::new(ONE);
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    for arguments in [
        &["app", "stop"][..],
        &["app", "live"],
        &["app", "remove"],
        &["app", "remove_container", "v7"],
        &["app", "stale_containers", "--stop"],
        &["app", "exec", "--raw", "x"],
        &["proxy", "restart"],
        &["proxy", "boot_config", "set"],
        &["proxy", "boot_config", "get"],
        &["proxy", "remove_image"],
        &["remove", "-y"],
        &["registry", "login", "-L"],
    ] {
        let shown = world.succeeds(&dry(arguments));
        assert!(world.calls(1).is_empty(), "{arguments:?} {shown}");
        assert!(!shown.contains("passw0rd"), "{shown}");
    }
    assert!(!world.path("1/.kamal").exists());
    assert!(world.local_calls().is_empty());
}
