//! The lock by hand, and in the way of others.

use super::world::World;

const ONE: &str = "servers: [127.0.0.1, 127.0.0.2]\n";

/// parity: commands 87, 95
#[test]
fn item_96_acquire_status_release() {
    let world = World::new(ONE);
    for command in ["status", "release"] {
        let told = world.succeeds(&["lock", command]);
        assert_eq!(told.lines().last(), Some("There is no deploy lock"));
    }
    let told = world.succeeds(&["lock", "acquire", "-m", "hands off"]);
    assert_eq!(told.lines().last(), Some("Acquired the deploy lock"));
    assert!(!told.contains("Acquiring"), "{told}");
    assert!(
        world.path("2/.kamal").is_dir(),
        "the directory is made on all hosts"
    );
    let told = world.succeeds(&["lock", "status"]);
    assert!(
        told.contains("Message: hands off") && told.contains("Version: v7"),
        "{told}"
    );
    let told = world.succeeds(&["lock", "release"]);
    assert_eq!(told.lines().last(), Some("Released the deploy lock"));
}

/// parity: commands 91
#[test]
fn items_89_and_90_a_lock_that_is_held() {
    let world = World::new(ONE);
    world.succeeds(&["lock", "acquire", "-m", "hands off"]);
    let failed = world.fails(&["app", "live"]);
    for part in [
        "Acquiring the deploy lock...",
        "Deploy lock already in place!",
        "Message: hands off",
        "ERROR (Kamal::Cli::LockError): Deploy lock found. Run 'kamal lock help' for more information",
    ] {
        assert!(failed.contains(part), "{part} in {failed}");
    }
    let waited = world.fails(&["app", "live", "--lock-wait"]);
    assert!(waited.contains("Deploy lock is held by:"), "{waited}");
    assert!(
        waited.contains("Deploy lock held manually, not waiting."),
        "{waited}"
    );
    assert!(world.calls(1).is_empty());
}

#[test]
fn item_92_a_command_inside_a_hook_takes_no_lock() {
    let world = World::new(ONE);
    world.succeeds(&["lock", "acquire", "-m", "hands off"]);
    world.write("app/inner.sh", "");
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dhow"))
        .args(["app", "live"])
        .env_clear()
        .env("PATH", path)
        .env("HOME", world.path("home"))
        .env("KAMAL_LOCK", "true")
        .env("VERSION", "v7")
        .current_dir(world.path("app"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!world.calls(1).is_empty());
}

/// parity: commands 244
#[test]
fn item_93_the_lock_goes_whatever_happens() {
    let world = World::new(ONE);
    world.docker_does(2, "exit 1\n");
    let failed = world.fails(&["app", "live"]);
    assert!(failed.contains("Releasing the deploy lock..."), "{failed}");
    assert!(!world.path("1/.kamal/lock-app").exists());
    let told = world.succeeds(&["lock", "status"]);
    assert!(told.contains("There is no deploy lock"));
}
