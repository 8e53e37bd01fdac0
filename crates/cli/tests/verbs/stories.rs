//! `deploy`, `redeploy`, `setup`, `rollback`, `app boot` from the command line to the hosts and back.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::world::World;

const ONE: &str = "servers: [127.0.0.1]\nproxy: { host: example.com, run: { repository: my/proxy, version: v1 } }\n";
const HOOKS: [&str; 6] = [
    "pre-connect",
    "pre-build",
    "pre-deploy",
    "pre-app-boot",
    "post-app-boot",
    "post-deploy",
];
/// A host where everything works.
const FINE: &str = "case $1 in run) echo 0123456789abcdef;; inspect) echo app;; esac\n";

fn world(rest: &str) -> World {
    let world = World::new(&format!("{ONE}{rest}"));
    world.docker_does(1, FINE);
    world.docker_does(2, FINE);
    world.write("app/Dockerfile", "FROM scratch\n");
    world
}

/// The places of texts in calls, which must be there and in this order.
#[track_caller]
fn in_order(calls: &[String], texts: &[&str]) {
    let mut from = 0;
    for text in texts {
        let at = calls.iter().skip(from).position(|call| call.contains(text));
        let at = at.unwrap_or_else(|| panic!("no `{text}` after {from} in {calls:#?}"));
        from += at + 1;
    }
}

/// parity: commands 113
#[test]
fn items_104_and_111_a_deploy_from_end_to_end() {
    let world = world("env: { secret: [TOKEN] }\n");
    HOOKS.iter().for_each(|hook| world.hook(hook));
    let told = world.succeeds(&["deploy", "--skip-push"]);
    assert_eq!(
        world.hooks(),
        [
            "pre-connect false deploy ",
            "pre-deploy true deploy ",
            "pre-app-boot true deploy ",
            "post-app-boot true deploy ",
            "post-deploy false deploy ",
        ],
        "nothing is built"
    );
    for text in [
        "Pull app image...",
        "Acquiring the deploy lock...",
        "Ensure kamal-proxy is running...",
        "Prune old containers and images...",
        "Releasing the deploy lock...",
        "  Finished all in ",
    ] {
        assert!(told.contains(text), "{text} in {told}");
    }
    in_order(
        &world.calls(1),
        &[
            "docker login -u me --password-stdin",
            "docker pull me/app:v7",
            "docker run --name kamal-proxy",
            "docker run --detach --restart unless-stopped --name app-web-v7",
            "docker exec kamal-proxy kamal-proxy deploy app-web --target=0123456789ab:80",
            "docker tag me/app:v7 me/app:latest",
        ],
    );
    assert!(world.local_calls().is_empty());
    assert!(!world.path("1/.kamal/lock-app").exists());
}

/// parity: commands 76
#[test]
fn item_80_what_a_deploy_leaves_in_the_audit_log() {
    let world = world("");
    world.succeeds(&["deploy", "-P"]);
    assert_eq!(
        world.audit(1),
        [
            "Pulled image with version v7",
            "[web] Booted app version v7",
            "Tagging me/app:v7 as the latest image",
            "Pruned containers",
            "Pruned images",
        ]
    );
}

#[test]
fn items_65_and_67_files_on_the_host() {
    let world = World::new(
        "servers: [127.0.0.1]\nproxy: { host: example.com, ssl: { certificate_pem: CERT, private_key_pem: KEY }, run: { repository: my/proxy, version: v1 } }\nerror_pages_path: pages\nenv: { secret: [TOKEN] }\n",
    );
    world.docker_does(1, FINE);
    world.write(
        "app/.kamal/secrets",
        "PASSWORD=x\nTOKEN=t0ken\nCERT=certificate\nKEY=key\n",
    );
    std::fs::create_dir(world.path("app/pages")).unwrap();
    for page in ["404.html", "503.html", "200.html", "notes.txt"] {
        world.write(&format!("app/pages/{page}"), page);
    }
    world.succeeds(&["deploy", "-P"]);
    let file = |name: &str| {
        let path = world.path(&format!("1/.kamal/{name}"));
        let mode = std::fs::metadata(&path)
            .map(|m| m.permissions().mode() & 0o777)
            .ok();
        (mode, std::fs::read_to_string(path).unwrap_or_default())
    };
    assert_eq!(
        file("apps/app/env/roles/web.env"),
        (Some(0o600), "TOKEN=t0ken\n".to_owned())
    );
    assert_eq!(
        file("proxy/apps-config/app/tls/web/cert.pem"),
        (Some(0o644), "certificate".to_owned())
    );
    assert_eq!(
        file("proxy/apps-config/app/tls/web/key.pem"),
        (Some(0o644), "key".to_owned())
    );
    assert_eq!(
        file("proxy/apps-config/app/error_pages/v7/404.html").1,
        "404.html"
    );
    assert_eq!(
        file("proxy/apps-config/app/error_pages/v7/503.html").1,
        "503.html"
    );
    assert_eq!(
        file("proxy/apps-config/app/error_pages/v7/200.html").0,
        None
    );
    assert!(!world.requests(1).concat().contains("t0ken"));
}

/// parity: commands 99
#[test]
fn item_100_no_hook_runs_with_skip_hooks() {
    let world = world("");
    let plain = world.succeeds(&["deploy", "-P"]);
    assert!(!plain.contains("hook"), "{plain}");
    HOOKS.iter().for_each(|hook| world.hook(hook));
    world.succeeds(&["deploy", "-P", "-H"]);
    world.succeeds(&["app", "boot", "-H"]);
    assert!(world.hooks().is_empty());
}

#[test]
fn item_109_a_failed_hook_ends_everything_after_it() {
    for (hook, booted) in [
        ("pre-connect", false),
        ("pre-deploy", false),
        ("pre-app-boot", false),
        ("post-app-boot", true),
        ("post-deploy", true),
    ] {
        let world = world("");
        let path = world.path(&format!("app/.kamal/hooks/{hook}"));
        std::fs::write(&path, "#!/bin/sh\necho reasons; exit 5\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let failed = world.fails(&["deploy", "-P"]);
        assert!(
            failed.contains(&format!(
                "ERROR (Kamal::Cli::HookError): Hook `{hook}` failed:"
            )),
            "{failed}"
        );
        assert!(failed.contains("reasons"), "{failed}");
        let asked = world.calls(1).join("\n");
        assert_eq!(
            asked.contains("--name app-web-v7"),
            booted,
            "{hook} {asked}"
        );
        assert_eq!(
            asked.contains("docker tag"),
            hook == "post-deploy",
            "{hook} {asked}"
        );
        assert!(!world.path("1/.kamal/lock-app").exists(), "{hook}");
    }
}

/// parity: commands 113, 115
#[test]
fn a_build_comes_before_the_lock_and_a_failed_one_leaves_none() {
    let world = world("");
    HOOKS.iter().for_each(|hook| world.hook(hook));
    let told = world.succeeds(&["deploy", "--no-cache"]);
    let hooks = world.hooks();
    assert!(hooks[1].starts_with("pre-build false"), "{hooks:?}");
    assert!(told.find("Build and push app image...") < told.find("Acquiring the deploy lock..."));
    let built = world.local_calls().join("\n");
    assert!(
        built.contains("docker buildx build") && built.contains("--no-cache"),
        "{built}"
    );
    assert!(!world.calls(1).join("\n").contains("no-cache"));
}

#[test]
fn item_118_a_failed_build_leaves_no_lock_and_no_host_was_asked() {
    let world = world("");
    world.write(
        "bin/docker",
        "#!/bin/sh\ncase \"$*\" in 'buildx build'*) echo broken; exit 1;; esac\n",
    );
    let failed = world.fails(&["deploy"]);
    assert!(failed.contains("broken"), "{failed}");
    assert!(world.requests(1).is_empty());
}

/// parity: commands 107
#[test]
fn items_116_and_117_setup_is_lock_docker_proxy_accessories_app() {
    let world = world("accessories: { db: { image: 'mysql:8', host: 127.0.0.2 } }\n");
    for hook in HOOKS.iter().chain(&["docker-setup"]) {
        world.hook(hook);
    }
    let told = world.succeeds(&["setup", "-P"]);
    assert_eq!(
        world.hooks(),
        [
            "pre-connect false setup ",
            "docker-setup true setup ",
            "pre-deploy true setup ",
            "pre-app-boot true setup ",
            "post-app-boot true setup ",
            "post-deploy true setup ",
        ]
    );
    assert!(told.find("Acquiring the deploy lock...") < told.find("Ensure Docker is installed..."));
    assert_eq!(told.matches("Acquiring the deploy lock...").count(), 1);
    in_order(
        &world.calls(1),
        &[
            "docker -v",
            "docker pull",
            "docker run --name kamal-proxy",
            "--name app-web-v7",
        ],
    );
    in_order(&world.calls(2), &["docker -v", "docker run --name app-db"]);
}

#[test]
fn item_246_a_boot_that_fails_stops_what_it_started_and_leaves_the_old_one() {
    let world = world("");
    world.container(1, "app-web-v6", "running", "web", "me/app:v6");
    world.docker_does(
        1,
        "case \"$*\" in run*) echo 0123456789abcdef;; inspect*grep*|'inspect -f'*) echo app;; logs*) echo 'no DATABASE_URL';; *'kamal-proxy deploy'*) echo 'target failed to become healthy' >&2; exit 1;; esac\n",
    );
    let failed = world.fails(&["deploy", "-P"]);
    assert!(failed.contains("no DATABASE_URL"), "{failed}");
    assert!(
        failed.contains("the old version goes on serving"),
        "{failed}"
    );
    let asked = world.calls(1);
    assert_eq!(asked.last().unwrap(), "docker stop 0123456789abcdef");
    for never in ["docker stop app-web-v6", "docker tag", "docker rmi"] {
        assert!(!asked.join("\n").contains(never), "{never} in {asked:#?}");
    }
    assert!(!world.path("1/.kamal/lock-app").exists());
}

/// The container that serves has the very name that the new one would get.
#[test]
fn a_full_disk_while_the_same_version_is_deployed_again_stops_nothing() {
    let world = world("");
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    world.docker_does(1, "case $1 in inspect) echo app;; rename) echo 'no space left on device' >&2; exit 1;; esac\n");
    let failed = world.fails(&["deploy", "-P"]);
    assert!(failed.contains("no space left on device"), "{failed}");
    let asked = world.calls(1);
    assert!(
        asked
            .last()
            .unwrap()
            .starts_with("docker rename app-web-v7 "),
        "{asked:#?}"
    );
}

#[test]
fn item_120_rollback_to_a_version_that_is_nowhere() {
    let world = world("");
    HOOKS.iter().for_each(|hook| world.hook(hook));
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    let failed = world.fails(&["rollback", "v1"]);
    assert!(
        failed.contains("The app version 'v1' is not available as a container (use 'kamal app containers' for available versions)"),
        "{failed}"
    );
    assert!(failed.contains("web on 127.0.0.1"), "{failed}");
    assert_eq!(world.hooks().len(), 1, "only the one before connecting");
    assert!(world.calls(1).is_empty());
    assert!(!world.path("1/.kamal/lock-app").exists());
}

/// parity: commands 88
#[test]
fn item_44_ctrl_c_ends_with_130_and_frees_the_lock() {
    let world = world("");
    world.docker_does(1, "case $1 in pull) touch $HOME/pulling; sleep 20;; esac\n");
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_dhow"))
        .args(["deploy", "-P"])
        .env_clear()
        .env("PATH", path)
        .env("HOME", world.path("home"))
        .env("VERSION", "v7")
        .current_dir(world.path("app"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let waiting = std::time::Instant::now();
    while !world.path("1/pulling").exists() {
        assert!(waiting.elapsed().as_secs() < 30, "it never pulled");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let details = Command::new("base64")
        .arg("-d")
        .arg(world.path("1/.kamal/lock-app/details"))
        .output();
    let details = String::from_utf8(details.unwrap().stdout).unwrap();
    assert!(
        details.ends_with("\nVersion: v7\nMessage: Automatic deploy lock"),
        "{details}"
    );
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let gone = || !world.path("1/.kamal/lock-app").exists();
    let waiting = std::time::Instant::now();
    while !gone() {
        assert!(waiting.elapsed().as_secs() < 40, "the lock is stuck");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(!world.calls(1).join("\n").contains("docker run"));
}

#[test]
fn lines_of_the_audit_log_are_shown_to_who_wants_to_know() {
    let world = World::new(ONE);
    let shown = |arguments: &[&str]| {
        let told = world.succeeds(arguments);
        let line = |line: &&str| line.starts_with(" DEBUG [") && line.contains("app-audit.log");
        (told.contains("audit.log"), told.lines().any(|l| line(&l)))
    };
    assert_eq!(shown(&["proxy", "start"]), (false, false));
    assert_eq!(shown(&["proxy", "start", "-v"]), (true, true));
}

#[test]
fn item_77_who_is_gits_user_or_whoever_is_logged_in() {
    let world = World::new(ONE);
    let login = Command::new("id").arg("-un").output().unwrap();
    let login = String::from_utf8(login.stdout).unwrap();
    let who = || {
        world.succeeds(&["proxy", "start"]);
        let log = std::fs::read_to_string(world.path("1/.kamal/app-audit.log")).unwrap();
        let last = log.lines().last().unwrap().to_owned();
        last.split(['[', ']']).nth(3).unwrap().to_owned()
    };
    assert_eq!(who(), login.trim());
    world.write("home/.gitconfig", "[user]\nemail = ada@example.com\n");
    assert_eq!(who(), "ada@example.com");
}
