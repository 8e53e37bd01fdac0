//! `registry`, `server`, `details`, `prune`, `remove`, and what is not there yet.

use super::world::World;

const LOCAL: &str = "registry: { server: 'localhost:5000' }";
const ONE: &str = "servers: [127.0.0.1]\nproxy: { host: example.com, run: { repository: my/proxy, version: v1 } }\n";

#[test]
fn item_212_a_registry_on_this_machine() {
    let world = World::with_registry(LOCAL, ONE);
    world.succeeds(&["registry", "setup"]);
    assert_eq!(
        world.local_calls(),
        [
            "docker --version",
            "docker buildx version",
            "docker start kamal-docker-registry"
        ]
    );
    world.succeeds(&["registry", "remove"]);
    assert_eq!(
        world.local_calls()[3..],
        [
            "docker stop kamal-docker-registry",
            "docker rm kamal-docker-registry"
        ]
    );
    world.succeeds(&["registry", "setup", "-L"]);
    assert_eq!(world.local_calls().len(), 5);
    let failed = world.fails(&["registry", "login"]);
    assert!(failed.contains(
        "Cannot use login command with a local registry. Use `kamal registry setup` instead."
    ));
    let failed = world.fails(&["registry", "logout"]);
    assert!(failed.contains(
        "Cannot use logout command with a local registry. Use `kamal registry remove` instead."
    ));
    assert!(world.requests(1).is_empty(), "hosts have no part in it");
}

#[test]
fn a_deploy_from_a_registry_on_this_machine_says_what_is_not_there_yet() {
    let world = World::with_registry(LOCAL, ONE);
    let failed = world.fails(&["deploy"]);
    assert!(
        failed.contains("this version of dhow has no forwarding to it"),
        "{failed}"
    );
    assert!(failed.contains("registry.server"), "{failed}");
    assert!(
        world.requests(1).is_empty() && world.local_calls().is_empty(),
        "and at once"
    );
    let failed = world.fails(&["deploy", "--skip-push"]);
    assert!(
        failed.contains("`localhost:5000/app:v7` is not on 127.0.0.1"),
        "{failed}"
    );
    assert!(world.calls(1).is_empty());
    assert!(!world.path("1/.kamal/lock-app").exists());
}

#[test]
fn item_211_login_and_logout_on_both_sides() {
    let world = World::new(ONE);
    world.docker_does(1, "[ \"$1\" != login ] || cat >password\n");
    world.succeeds(&["registry", "login"]);
    assert_eq!(world.calls(1), ["docker login -u me --password-stdin"]);
    assert_eq!(
        std::fs::read_to_string(world.path("1/password"))
            .unwrap()
            .trim_end(),
        "registry-passw0rd"
    );
    assert_eq!(
        world.local_calls().last().unwrap(),
        "docker login -u me --password-stdin"
    );
    world.succeeds(&["registry", "logout", "-L"]);
    assert_eq!(world.calls(1).last().unwrap(), "docker logout");
    let local = world.local_calls().len();
    world.succeeds(&["registry", "remove", "-R"]);
    assert_eq!(world.local_calls()[local..], ["docker logout"]);
    assert_eq!(world.calls(1).len(), 2);
}

/// parity: commands 58
#[test]
fn item_210_server_exec_in_blocks_and_raw() {
    let world = World::new("servers: [127.0.0.1, 127.0.0.2]\n");
    let told = world.succeeds(&["server", "exec", "echo hi | tr h H"]);
    assert!(
        told.contains("Running 'echo hi | tr h H' on 127.0.0.1, 127.0.0.2..."),
        "{told}"
    );
    assert!(told.contains("App Host: 127.0.0.1\nHi\n"), "{told}");
    assert_eq!(
        world.audit(2),
        ["Executed cmd 'echo hi | tr h H' on 127.0.0.2"]
    );
    let ended = world.dhow(&[
        "server",
        "exec",
        "--raw",
        "-h",
        "127.0.0.1",
        "printf 'a\\000b'",
    ]);
    assert_eq!(
        (ended.code, ended.stdout.as_slice()),
        (0, &b"a\0b"[..]),
        "{}",
        ended.stderr
    );
    let failed = world.fails(&["server", "exec", "--raw", "-h", "127.0.0.1", "exit 3"]);
    assert!(failed.contains("exit status: 3"), "{failed}");
}

#[test]
fn item_221_details_ends_with_accessories() {
    let world = World::new(
        "servers: [127.0.0.1]\naccessories: { db: { image: 'mysql:8', host: 127.0.0.2 } }\n",
    );
    let told = world.succeeds(&["details"]);
    let place = |text: &str| {
        told.find(text)
            .unwrap_or_else(|| panic!("{text} in {told}"))
    };
    let order = [
        place("Proxy Host: 127.0.0.1"),
        place("App Host: 127.0.0.1"),
        place("Accessory db Host: 127.0.0.2"),
    ];
    assert!(order.is_sorted(), "{told}");
}

/// parity: commands 171
#[test]
fn item_215_remove_takes_everything_but_a_proxy_that_others_use() {
    let rest = "servers: [127.0.0.1]\naccessories: { db: { image: 'mysql:8', host: 127.0.0.2 } }\n";
    let world = World::new(rest);
    let ended = world.fed(&["remove"], "N\n");
    assert!(
        ended
            .stderr
            .contains("This will remove all containers and images. Are you sure?")
    );
    assert!(ended.text().contains("Aborted") && ended.code == 0);
    std::fs::create_dir_all(world.path("1/.kamal/apps/other")).unwrap();
    std::fs::create_dir_all(world.path("1/.kamal/apps/app")).unwrap();
    world.container(1, "app-web-v7", "running", "web", "me/app:v7");
    let told = world.succeeds(&["remove", "-y"]);
    assert!(
        told.contains("Not removing the proxy, as other apps are installed"),
        "{told}"
    );
    let asked = world.calls(1).join("\n");
    assert!(!asked.contains("container stop kamal-proxy"), "{asked}");
    assert!(
        asked.contains(
            "docker exec kamal-proxy kamal-proxy remove app-web\ndocker stop app-web-v7\n"
        )
    );
    assert_eq!(world.calls(1).last().unwrap(), "docker logout");
    let db = world.calls(2);
    assert!(
        db.contains(&"docker container stop app-db".to_owned()),
        "{db:?}"
    );
    assert_eq!(db.last().unwrap(), "docker logout");
    assert!(
        world.local_calls().is_empty(),
        "this machine keeps its session"
    );
    assert!(!world.path("1/.kamal/apps/app").exists());

    let alone = World::new(rest);
    alone.succeeds(&["remove", "-y"]);
    assert!(
        alone
            .calls(1)
            .contains(&"docker container stop kamal-proxy".to_owned())
    );
}

#[test]
fn item_213_prune_containers_wants_at_least_one() {
    let world = World::new(ONE);
    let failed = world.fails(&["prune", "containers", "--retain", "0"]);
    assert!(failed.contains("retain must be at least 1"), "{failed}");
    assert!(world.requests(1).is_empty());
}
