//! `proxy …` and `upgrade`.

use super::world::World;

const TWO: &str = "servers: [127.0.0.1, 127.0.0.2]\nproxy: { host: example.com }\n";
const DEPRECATED: &str = "The proxy boot_config command is deprecated - set the config in the deploy YAML at proxy/run instead";

#[test]
fn item_191_boot_config_on_every_host_without_a_lock() {
    let world = World::new(TWO);
    let read = |host, name| {
        std::fs::read_to_string(world.path(&format!("{host}/.kamal/proxy/{name}"))).ok()
    };
    let told = world.succeeds(&[
        "proxy",
        "boot_config",
        "set",
        "--http-port",
        "8080",
        "--publish-host-ip",
        "127.0.0.1",
        "--publish-host-ip",
        "::1",
        "--image-version",
        "v9",
        "--debug",
    ]);
    assert!(
        told.contains(DEPRECATED) && !told.contains("deploy lock"),
        "{told}"
    );
    for host in [1, 2] {
        assert_eq!(
            read(host, "options").as_deref(),
            Some(
                "--publish 127.0.0.1:8080:80 --publish 127.0.0.1:443:443 --publish [::1]:8080:80 --publish [::1]:443:443 --log-opt max-size=10m"
            )
        );
        assert_eq!(read(host, "image"), None);
        assert_eq!(read(host, "image_version").as_deref(), Some("v9"));
        assert_eq!(
            read(host, "run_command").as_deref(),
            Some("kamal-proxy run --debug")
        );
    }
    let told = world.succeeds(&["proxy", "boot_config", "get"]);
    assert!(
        told.contains("Host 127.0.0.2: --publish 127.0.0.1:8080:80")
            && told.contains("basecamp/kamal-proxy:v9 kamal-proxy run --debug"),
        "{told}"
    );
    world.succeeds(&["proxy", "boot_config", "reset"]);
    world.succeeds(&["proxy", "boot_config", "reset"]);
    assert_eq!(read(1, "options"), None);

    let failed = world.fails(&[
        "proxy",
        "boot_config",
        "set",
        "--publish-host-ip",
        "nowhere",
    ]);
    assert!(
        failed.contains("Invalid publish IP address: nowhere"),
        "{failed}"
    );
    let failed = world.fails(&["proxy", "boot_config", "turn"]);
    assert!(
        failed.contains("ERROR (ArgumentError): Unknown boot_config subcommand turn"),
        "{failed}"
    );
}

#[test]
fn item_190_a_proxy_that_others_use_stays_unless_forced() {
    let world = World::new("servers: [127.0.0.1]\nproxy: { host: example.com }\n");
    std::fs::create_dir_all(world.path("1/.kamal/apps/other")).unwrap();
    let told = world.succeeds(&["proxy", "remove"]);
    assert!(
        told.contains("Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force"),
        "{told}"
    );
    assert!(world.calls(1).is_empty());
    let told = world.succeeds(&["proxy", "remove", "--force"]);
    assert!(
        told.contains("Forcing, so removing the proxy, even though other apps are installed"),
        "{told}"
    );
    let title = "--filter label=org.opencontainers.image.title=kamal-proxy";
    assert_eq!(
        world.calls(1),
        [
            "docker container stop kamal-proxy".to_owned(),
            format!("docker container prune --force {title}"),
            format!("docker image prune --all --force {title}"),
        ]
    );
    assert_eq!(
        world.audit(1),
        [
            "Stopped proxy",
            "Removed proxy container",
            "Removed proxy image"
        ]
    );
    assert!(!world.path("1/.kamal/proxy").exists());
}

#[test]
fn the_pieces_of_remove_alone() {
    let world = World::new("servers: [127.0.0.1]\n");
    std::fs::create_dir_all(world.path("1/.kamal/proxy/apps-config")).unwrap();
    world.succeeds(&["proxy", "remove_container"]);
    world.succeeds(&["proxy", "remove_image"]);
    world.succeeds(&["proxy", "remove_proxy_directory"]);
    assert_eq!(world.calls(1).len(), 2);
    assert!(!world.path("1/.kamal/proxy").exists());
}

/// parity: commands 42
#[test]
fn item_187_reboot_asks_first_and_no_is_an_answer() {
    let world =
        World::new("servers: [127.0.0.1]\nproxy: { run: { repository: my/proxy, version: v1 } }\n");
    let question = "This will cause a brief outage on each host. Are you sure? [y, N] (N)";
    for answer in ["N\n", "", "\n"] {
        let ended = world.fed(&["proxy", "reboot"], answer);
        assert_eq!(ended.code, 0);
        assert!(ended.stderr.contains(question), "{}", ended.stderr);
        assert!(ended.text().contains("Aborted"), "{}", ended.text());
    }
    let again = world.fed(&["proxy", "reboot"], "yes\ny\n");
    assert!(
        again
            .stderr
            .contains("Your response must be one of: [y, N]. Please try again.")
    );
    assert_eq!(again.code, 0, "{}", again.text());
    let asked = world.calls(1).join("\n");
    assert!(
        asked.contains("docker container stop kamal-proxy\n"),
        "{asked}"
    );
    assert!(
        asked.contains("docker run --name kamal-proxy --network kamal --detach"),
        "{asked}"
    );
    assert_eq!(world.audit(1), ["Rebooted proxy"]);
}

#[test]
fn a_proxy_that_does_not_start_gives_way_to_the_one_before() {
    let world =
        World::new("servers: [127.0.0.1]\nproxy: { run: { repository: my/proxy, version: v1 } }\n");
    world.docker_does(
        1,
        "[ \"$1\" != run ] || { echo 'port is already allocated' >&2; exit 125; }\n",
    );
    let failed = world.fails(&["proxy", "reboot", "-y"]);
    assert!(failed.contains("port is already allocated"), "{failed}");
    assert!(failed.contains("the old container runs again"), "{failed}");
    assert_eq!(
        world.calls(1)[2..]
            .iter()
            .filter(|c| !c.starts_with("docker run"))
            .collect::<Vec<_>>(),
        [
            "docker rename kamal-proxy kamal-proxy_replaced",
            "docker container rm --force kamal-proxy",
            "docker rename kamal-proxy_replaced kamal-proxy",
            "docker container start kamal-proxy",
        ]
    );
}

/// parity: commands 193
#[test]
fn item_216_upgrade_of_everything() {
    let world = World::new(
        "servers: [127.0.0.1]\nproxy: { host: example.com, run: { repository: my/proxy, version: v1 } }\naccessories: { db: { image: 'mysql:8', host: 127.0.0.2 } }\n",
    );
    world.container(1, "app-web-v6", "running", "web", "me/app:v6");
    world.docker_does(1, "case $1 in run) echo 0123456789abcdef;; esac\n");
    let asks = world.fed(&["upgrade"], "N\n");
    assert!(
        asks.stderr.contains(
            "This will replace Traefik with kamal-proxy and restart all accessories [y, N] (N)"
        ),
        "{}",
        asks.stderr
    );
    let told = world.succeeds(&["upgrade", "-y"]);
    let mut said = told.lines().filter(|line| line.starts_with("Upgrad"));
    for wanted in [
        "Upgrading all hosts...",
        "Upgrading proxy on 127.0.0.1,127.0.0.2...",
        "Upgraded proxy on 127.0.0.1,127.0.0.2",
        "Upgrading all accessories on 127.0.0.2...",
        "Upgraded all accessories on 127.0.0.2...",
        "Upgraded all hosts",
    ] {
        assert_eq!(said.next(), Some(wanted), "{told}");
    }
    assert_eq!(told.matches("Acquiring the deploy lock...").count(), 1);
    let asked = world.calls(1);
    let at = |text: &str| {
        let found = asked.iter().position(|call| call.contains(text));
        found.unwrap_or_else(|| panic!("{text} in {asked:#?}"))
    };
    let order = [
        at("docker container stop traefik"),
        at("docker run --name kamal-proxy"),
        at("--name app-web-latest"),
        at("kamal-proxy deploy app-web"),
        at("docker tag me/app:latest me/app:latest"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}
