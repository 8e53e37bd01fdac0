//! `accessory …`

use super::world::World;

const DB: &str = "servers: [127.0.0.1]\naccessories:\n  db:\n    image: mysql:8\n    host: 127.0.0.2\n    files: [ 'config/my.cnf:/etc/my.cnf' ]\n    directories: [ 'data:/var/lib/mysql' ]\n    env: { secret: [TOKEN] }\n  cache: { image: 'redis:7', host: 127.0.0.1 }\n";

fn world() -> World {
    let world = World::new(DB);
    world.write("app/config/my.cnf", "[mysqld]\n");
    world
}

/// parity: commands 43
#[test]
fn an_unknown_accessory_is_named_with_those_that_are_there() {
    let world = world();
    for command in [
        "boot",
        "upload",
        "reboot",
        "start",
        "details",
        "remove_image",
        "pull_image",
    ] {
        let ended = world.dhow(&["accessory", command, "nobody"]);
        assert_eq!(ended.code, 0, "{command}");
        assert_eq!(
            ended.stderr, "No accessory by the name of 'nobody' (options: db and cache)\n",
            "{command}"
        );
    }
}

#[test]
fn files_and_directories_alone() {
    let world = world();
    world.succeeds(&["accessory", "directories", "db"]);
    assert!(world.path("2/app-db/data").is_dir());
    assert!(!world.path("2/app-db/etc/my.cnf").exists());
    world.succeeds(&["accessory", "upload", "db"]);
    assert_eq!(
        std::fs::read_to_string(world.path("2/app-db/etc/my.cnf")).unwrap(),
        "[mysqld]\n"
    );
    world.succeeds(&["accessory", "remove_service_directory", "db"]);
    assert!(!world.path("2/app-db").exists());
    assert!(world.calls(2).is_empty());
}

/// parity: commands 194
#[test]
fn boot_and_boot_again() {
    let world = world();
    world.succeeds(&["accessory", "boot", "db"]);
    let asked = world.calls(2).join("\n");
    assert!(
        asked.contains("docker run --name app-db --detach"),
        "{asked}"
    );
    world.docker_does(2, "case $1 in ps) echo abc;; esac\n");
    let told = world.succeeds(&["accessory", "boot", "db"]);
    assert!(
        told.contains("Skipping booting `db` on 127.0.0.2, a container already exists"),
        "{told}"
    );
    assert_eq!(world.calls(2).join("\n").matches("docker run").count(), 1);
    assert_eq!(world.audit(2), ["Booted db accessory"]);
}

/// parity: commands 206
#[test]
fn all_is_every_accessory_in_the_files_order() {
    let world = world();
    let told = world.succeeds(&["accessory", "details", "all"]);
    let db = told.find("Accessory db Host: 127.0.0.2").expect("db");
    let cache = told.find("Accessory cache Host: 127.0.0.1").expect("cache");
    assert!(db < cache);
    world.succeeds(&["accessory", "remove", "all", "-y"]);
    for (host, name) in [(2, "db"), (1, "cache")] {
        let calls = world.calls(host);
        assert!(
            calls.contains(&format!(
                "docker container prune --force --filter label=service=app-{name}"
            )),
            "{calls:?}"
        );
        assert_eq!(
            world.audit(host),
            [
                format!("Stopped {name} accessory"),
                format!("Remove {name} accessory container"),
                format!("Removed {name} accessory image"),
            ]
        );
    }
}

#[test]
fn the_pieces_of_remove_and_pull() {
    let world = world();
    world.succeeds(&["accessory", "pull_image", "cache"]);
    world.succeeds(&["accessory", "remove_container", "cache"]);
    world.succeeds(&["accessory", "remove_image", "cache"]);
    let calls = world.calls(1);
    assert_eq!(
        calls
            .iter()
            .filter(|call| !call.contains("login"))
            .collect::<Vec<_>>(),
        [
            "docker image pull redis:7",
            "docker container prune --force --filter label=service=app-cache",
            "docker image rm --force redis:7",
        ]
    );
}

#[test]
fn raw_exec_is_bytes_and_contradictions_are_refused() {
    let world = world();
    world.docker_does(2, "[ \"$1\" != exec ] || printf 'x\\000y'\n");
    let ended = world.dhow(&["accessory", "exec", "--raw", "--reuse", "db", "dump"]);
    assert_eq!(
        (ended.code, ended.stdout.as_slice()),
        (0, &b"x\0y"[..]),
        "{}",
        ended.stderr
    );
    let failed = world.fails(&["accessory", "exec", "--raw", "-i", "db", "dump"]);
    assert!(
        failed.contains("ERROR (ArgumentError): Raw is not compatible with interactive"),
        "{failed}"
    );
}

#[test]
fn item_207_upgrade_says_what_it_does() {
    let world = world();
    let asks = world.fed(&["accessory", "upgrade", "db"], "");
    assert!(
        asks.stderr
            .contains("This will restart all accessories [y, N] (N)"),
        "{}",
        asks.stderr
    );
    assert!(world.calls(2).is_empty());
    let told = world.succeeds(&["accessory", "upgrade", "db", "-y"]);
    let (first, last) = (
        told.find("Upgrading db accessories on 127.0.0.2,127.0.0.1..."),
        told.find("Upgraded db accessories on 127.0.0.2,127.0.0.1..."),
    );
    let either = told.contains("Upgrading db accessories on 127.0.0.1,127.0.0.2...");
    assert!(either || (first.is_some() && first < last), "{told}");
    assert!(
        world
            .calls(2)
            .join("\n")
            .contains("docker run --name app-db")
    );
}

#[test]
fn config_item_10_13_a_missing_file_is_named_before_anything_happens() {
    let world = World::new(DB);
    let failed = world.fails(&["accessory", "reboot", "db"]);
    let path = world.path("app/config/my.cnf");
    let line = format!("ERROR (RuntimeError): Missing file: {}", path.display());
    assert!(failed.contains(&line), "{failed}");
    assert!(world.calls(2).is_empty());
}

#[test]
fn config_item_10_08_erb_files_see_the_accessorys_env() {
    let world = World::new(
        "servers: [127.0.0.1]\naccessories:\n  db:\n    image: mysql:8\n    host: 127.0.0.2\n    files: [ 'config/init.sql.erb:/init.sql', 'config/plain.sql:/plain.sql' ]\n    env: { clear: { NAME: shop, PORT: 3306, FLAG: true }, secret: [TOKEN, 'ALIAS:PASSWORD'] }\n",
    );
    let text = "<%= ENV['NAME'] %> <%= ENV['PORT'] %> <%= ENV['FLAG'] %> <%= ENV['TOKEN'] %> <%= ENV['ALIAS'] %> <%= ENV['PASSWORD'].inspect %>\n";
    world.write("app/config/init.sql.erb", text);
    world.write("app/config/plain.sql", text);
    let told = world.succeeds(&["accessory", "upload", "db", "-v"]);
    assert_eq!(
        std::fs::read_to_string(world.path("2/app-db/init.sql")).unwrap(),
        "shop 3306 true t0ken registry-passw0rd nil\n"
    );
    assert_eq!(
        std::fs::read_to_string(world.path("2/app-db/plain.sql")).unwrap(),
        text
    );
    assert!(!told.contains("registry-passw0rd"), "{told}");
}
