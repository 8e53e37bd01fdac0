//! Secrets on the way to hosts: read where they are needed and nowhere else, and the keys to log in with.

use std::fs;

use super::world::World;

const FLEET: &str = "servers: [127.0.0.1]\nproxy: { host: example.com, run: { repository: my/proxy, version: v1 } }\nenv: { secret: [TOKEN] }\naccessories:\n  db: { image: 'mysql:8', host: 127.0.0.2, env: { secret: [DB] } }\n  cache: { image: 'redis:7', host: 127.0.0.2, registry: { server: r.example.com, username: me, password: literal } }\n";

/// A secrets file whose every command leaves a mark and fails.
fn world() -> World {
    let world = World::new(FLEET);
    let mark = world.path("read").display().to_string();
    world.write(
        "app/.kamal/secrets",
        &format!("PASSWORD=$(touch {mark}; exit 1)\nexport NOTHING\n"),
    );
    world
}

#[test]
fn config_item_16_04_no_command_that_needs_no_secret_reads_the_secrets_files() {
    let world = world();
    for command in [
        "details",
        "audit",
        "app details",
        "app containers",
        "app images",
        "app version",
        "app live",
        "app maintenance",
        "app remove_images",
        "app stale_containers",
        "app exec --reuse uptime",
        "accessory details db",
        "accessory stop db",
        "accessory exec --reuse db uptime",
        "accessory pull_image cache",
        "accessory boot cache",
        "proxy details",
        "proxy start",
        "lock status",
        "prune images",
        "prune containers",
        "server exec uptime",
        "registry logout",
        "deploy --dry-run -P",
        "accessory boot db --dry-run",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let ended = world.dhow(&words);
        assert!(
            !ended.text().contains("NOTHING") && !ended.stderr.contains("NOTHING"),
            "{command}\n{}\n{}",
            ended.text(),
            ended.stderr
        );
        assert!(!world.path("read").exists(), "{command} read the secrets");
    }
    // Those that need one do read, and fail here.
    for command in [
        "app boot",
        "deploy -P",
        "accessory boot db",
        "registry login",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        world.fails(&words);
        assert!(world.path("read").exists(), "{command} reads the secrets");
        fs::remove_file(world.path("read")).unwrap();
    }
}

/// Hooks that get secrets need them; one that a command never runs does not.
#[test]
fn config_item_14_12_secrets_for_hooks_that_run() {
    let world = world();
    world.hook("post-deploy");
    world.hook("pre-build");
    world.succeeds(&["app", "version"]);
    assert!(!world.path("read").exists());
    world.hook("pre-connect");
    world.succeeds(&["app", "version", "--skip-hooks"]);
    assert!(!world.path("read").exists());
    world.fails(&["app", "version"]);
    assert!(world.path("read").exists());

    let world = World::new("servers: [127.0.0.1]\n");
    let seen = world.path("seen").display().to_string();
    for hook in ["pre-connect", "docker-setup"] {
        world.write(
            &format!("app/.kamal/hooks/{hook}"),
            &format!("#!/bin/sh\necho \"{hook} $TOKEN $KAMAL_ROLES\" >>{seen}\n"),
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(world.path(&format!("app/.kamal/hooks/{hook}")), mode).unwrap();
    }
    world.succeeds(&["server", "bootstrap"]);
    world.succeeds(&["app", "version", "-r", "web"]);
    assert_eq!(
        fs::read_to_string(&seen).unwrap(),
        "pre-connect t0ken \ndocker-setup  \npre-connect t0ken web\n"
    );
}

/// `key_data` in place of the key at home, which is taken away.
fn with_keys(key_data: &str, secrets: &str) -> (World, String) {
    let world = World::new("servers: [127.0.0.1]\n");
    let deploy_file = fs::read_to_string(world.path("app/config/deploy.yml")).unwrap();
    let changed = deploy_file.replace(
        "ssh: { port:",
        &format!("ssh: {{ key_data: {key_data}, port:"),
    );
    assert_ne!(changed, deploy_file);
    let key = fs::read_to_string(world.path("home/.ssh/id_ed25519")).unwrap();
    fs::remove_dir_all(world.path("home/.ssh")).unwrap();
    world.write(
        "app/config/deploy.yml",
        &changed.replace("THE KEY", &key.replace('\n', "\\n")),
    );
    world.write("app/.kamal/secrets", &secrets.replace("THE KEY", &key));
    (world, key)
}

const DEPRECATED: &str = "Inline key_data usage is deprecated and will be removed in Kamal 3. Please store your key_data in a secret.";

/// parity: commands 243
#[test]
fn config_item_12_03_keys_from_secrets_and_inline() {
    let (world, _) = with_keys("[NONE]", "OTHER=1\n");
    let failed = world.dhow(&["app", "version"]);
    assert_eq!(failed.code, 1, "without any key nobody gets in");

    let (world, _) = with_keys("[WRONG, RIGHT]", "WRONG='no key'\nRIGHT='THE KEY'\n");
    let ended = world.dhow(&["app", "version"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.text(), ended.stderr);
    assert!(!ended.stderr.contains(DEPRECATED), "{}", ended.stderr);

    let (world, key) = with_keys("[\"THE KEY\"]", "export BROKEN\n");
    let ended = world.dhow(&["app", "version", "-v"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.text(), ended.stderr);
    assert_eq!(
        ended.stderr.matches(DEPRECATED).count(),
        1,
        "{}",
        ended.stderr
    );
    let body = key.lines().nth(1).unwrap();
    assert!(!ended.text().contains(body) && !ended.stderr.contains(body));
}

/// parity: commands 110
#[test]
fn config_item_12_09_how_much_of_a_hook_is_shown() {
    let world = |hooks_output: &str| {
        let world = World::new(&format!("servers: [127.0.0.1]\n{hooks_output}"));
        world.write(
            "app/.kamal/hooks/pre-connect",
            "#!/bin/sh\necho some noise\n",
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(world.path("app/.kamal/hooks/pre-connect"), mode).unwrap();
        world
    };
    // Whether its output is shown, and whether it is said at all.
    for (hooks_output, option, output, said) in [
        ("", "", false, true),
        ("", "-v", true, true),
        ("", "-q", false, false),
        ("hooks_output: verbose\n", "", true, true),
        ("hooks_output:\n  pre-connect: :verbose\n", "", true, true),
        ("hooks_output: { pre-deploy: verbose }\n", "", false, true),
        ("hooks_output: verbose\n", "-q", false, false),
        ("hooks_output: quiet\n", "", false, false),
        ("hooks_output: quiet\n", "-v", true, true),
    ] {
        let words = ["prune", "images", option];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let told = world(hooks_output).succeeds(&words);
        assert_eq!(
            (
                told.contains("some noise"),
                told.contains("hooks/pre-connect")
            ),
            (output, said),
            "{hooks_output}{option}\n{told}"
        );
    }
}
