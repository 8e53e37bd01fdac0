//! Builds with a real docker and buildx, pushed over TLS to a registry that asks who one is, and pulled by a host.

use dhow_fleet_tests::{Dhow, Fleet, ScratchApp};

/// The program, with temporary files where they go with the app.
fn dhow(app: &ScratchApp) -> Dhow {
    app.dhow().env("TMPDIR", &app.home().display().to_string())
}

#[test]
fn an_image_is_built_from_the_commit_pushed_pulled_and_no_login_stays_anywhere() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h1");
    let app = ScratchApp::new(&fleet, &ScratchApp::config(&fleet, &[host]));
    let version = app.commit("built");
    app.set_mode("exits");
    let image = format!("{}/{}/app:{version}", fleet.registry, ScratchApp::SERVICE);

    let outcome = dhow(&app).run(&["build", "deliver"]);
    outcome.expect();
    assert!(
        outcome
            .stdout
            .contains("ignoring these uncommitted changes:\n M lab-mode"),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains(fleet.registry_password()));

    // The host has it, with the label that pruning goes by, and it is the commit: that version does not exit.
    let label = format!("docker inspect -f '{{{{.Config.Labels.service}}}}' {image}");
    assert_eq!(host.run(&label).expect(), ScratchApp::SERVICE);
    host.run(&format!("docker run -d --name built {image}"))
        .expect();
    assert_eq!(host.containers(), ["built"]);

    // Neither here nor there is the login left, and the builders' directory is the user's own.
    assert!(!app.home().join(".docker/config.json").exists());
    assert!(app.home().join(".docker/buildx").is_dir());
    let mut left: Vec<_> = std::fs::read_dir(app.home())
        .expect("the home folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name != ".ssh")
        .collect();
    left.sort();
    assert_eq!(left, [".docker", "kamal-clones"]);
    let left = host.run("cat /root/.docker/config.json");
    assert!(!left.ok(), "{left:?}");

    // A second build, of another commit, by way of the same copy.
    app.set_mode("healthy");
    let second = app.commit("second");
    let outcome = dhow(&app).run(&["build", "push"]);
    outcome.expect();
    assert!(
        outcome.stdout.contains("Resetting local clone as `"),
        "{outcome:?}"
    );
    let pull = dhow(&app).run(&["build", "pull", "--version", &second]);
    pull.expect();
}

#[test]
fn a_wrong_password_is_told_before_anything_is_built() {
    let fleet = Fleet::take();
    let app = ScratchApp::new(&fleet, &ScratchApp::config(&fleet, &[fleet.host("h1")]));
    let dhow = dhow(&app).env("FLEET_REGISTRY_PASSWORD", "not-the-one");
    let outcome = dhow.run(&["build", "push"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("401"), "{outcome:?}");
    assert!(
        !outcome.stdout.contains("docker buildx build"),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("not-the-one"));
    assert!(!app.home().join(".docker/config.json").exists());
}
