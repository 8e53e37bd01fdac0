//! What can be wrong around a deploy: each is told with host and cause, leaves no lock, and the other hosts stay as they were.

use std::process::Command;

use dhow_fleet_tests::{Fleet, Host, Outcome, ScratchApp};

/// An app in version `one` on h1 and h2, with `two` ready in the registry.
fn deployed(fleet: &Fleet) -> ScratchApp {
    let hosts = [fleet.host("h1"), fleet.host("h2")];
    let app = ScratchApp::new(fleet, &ScratchApp::config(fleet, &hosts));
    fleet.push_versions(&["one", "two"], "healthy");
    app.dhow()
        .run(&["setup", "-P", "--version", "one"])
        .expect();
    app
}

/// A deploy that fails on this host for this cause, and says so.
#[track_caller]
fn fails(outcome: &Outcome, host: &str, causes: &[&str]) {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let errors = outcome.errors();
    assert!(
        errors.contains(host),
        "the errors do not name {host}:\n{all}"
    );
    for cause in causes {
        assert!(
            errors.contains(cause),
            "the errors do not say `{cause}`:\n{all}"
        );
    }
    for trace in ["panicked at", "backtrace", ".rs:"] {
        assert!(!all.contains(trace), "`{trace}` is in the output:\n{all}");
    }
    assert!(outcome.took.as_secs() < 60, "took {:?}", outcome.took);
}

#[track_caller]
fn no_locks(fleet: &Fleet) {
    for host in &fleet.hosts {
        assert_eq!(host.locks(), "", "a lock was left on {}", host.name);
    }
}

/// Runs what must fail, and sees that these hosts are as they were.
#[track_caller]
fn unchanged(hosts: &[&Host], run: impl FnOnce() -> Outcome) -> Outcome {
    let before: Vec<_> = hosts.iter().map(|host| host.state()).collect();
    let outcome = run();
    for (host, before) in std::iter::zip(hosts, before) {
        assert_eq!(host.state(), before, "{} was changed", host.name);
    }
    outcome
}

/// parity: commands 61, 244
#[test]
fn a_host_that_cannot_be_reached_is_named_and_nothing_is_changed_on_the_others() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let deploy = ["deploy", "-P", "--version", "two"];

    // No machine there, before or behind the one with the lock.
    let config = std::fs::read_to_string(app.dir().join("config/deploy.yml")).unwrap();
    for broken in [
        config.replace(&h2.address, "10.77.0.250"),
        config.replace(&format!("    - {}\n", h1.address), "    - 10.77.0.250\n"),
    ] {
        app.write("config/deploy.yml", &broken);
        let outcome = unchanged(&[h1, h2], || app.dhow().run(&deploy));
        fails(&outcome, "10.77.0.250", &["route to host"]);
        no_locks(&fleet);
    }
    app.write("config/deploy.yml", &config);

    // A machine where nobody listens.
    h2.run("kill $(cat /run/sshd.pid)").expect();
    let outcome = unchanged(&[h1], || app.dhow().run(&deploy));
    h2.run("/usr/sbin/sshd -E /var/log/fleet/sshd.log").expect();
    fails(&outcome, &h2.address, &["refused"]);
    no_locks(&fleet);

    app.dhow().run(&deploy).expect();
}

#[test]
fn a_host_whose_docker_is_down_is_named_with_what_to_do() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let deploy = ["deploy", "-P", "--version", "two"];
    h2.stop_docker();
    let outcome = unchanged(&[h1], || app.dhow().run(&deploy));
    h2.start_docker();
    fails(
        &outcome,
        &h2.address,
        &[
            "Cannot connect to the Docker daemon",
            "systemctl start docker",
        ],
    );
    no_locks(&fleet);
    app.dhow().run(&deploy).expect();
}

/// parity: commands 62, 242
#[test]
fn a_wrong_key_and_a_changed_host_key_are_told_apart_and_change_nothing() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let deploy = ["deploy", "-P", "--version", "two"];

    let key = app.home().join("other-key");
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key);
    Outcome::of(&mut keygen, "").expect();
    let config = std::fs::read_to_string(app.dir().join("config/deploy.yml")).unwrap();
    let other = config.replace(&fleet.key.display().to_string(), &key.display().to_string());
    app.write("config/deploy.yml", &other);
    let outcome = unchanged(&[h1, h2], || app.dhow().run(&deploy));
    let told = ["Net::SSH::AuthenticationFailed", "other-key", "`root`"];
    fails(&outcome, &h1.address, &told);
    fails(&outcome, &h2.address, &told);
    assert!(
        outcome.errors().contains("Exceptions on 2 hosts"),
        "{outcome:?}"
    );
    app.write("config/deploy.yml", &config);

    // The key that the first deploy wrote down, exchanged for another.
    let known = app.home().join(".ssh/known_hosts");
    let before = std::fs::read_to_string(&known).unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let lie: String = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    std::fs::write(&known, format!("{} {lie}\n", h2.address)).unwrap();
    let outcome = unchanged(&[h1, h2], || app.dhow().run(&deploy));
    fails(
        &outcome,
        &h2.address,
        &["HostKeyMismatch", "known_hosts:1", "ssh-keygen -f"],
    );
    no_locks(&fleet);

    std::fs::write(&known, before).unwrap();
    app.dhow().run(&deploy).expect();
}

/// parity: commands 64, 245
#[test]
fn a_registry_that_refuses_the_password_is_told_for_each_host() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let dhow = app.dhow().env("FLEET_REGISTRY_PASSWORD", "not-the-one");
    let running = [h1.containers(), h2.containers()];
    let outcome = dhow.run(&["deploy", "-P", "--version", "two"]);
    for host in [h1, h2] {
        fails(&outcome, &host.address, &["401", "registry.password"]);
    }
    assert!(!outcome.stdout.contains("not-the-one"), "{outcome:?}");
    assert_eq!([h1.containers(), h2.containers()], running);
    no_locks(&fleet);
    app.dhow()
        .run(&["deploy", "-P", "--version", "two"])
        .expect();
}

#[test]
fn an_image_without_the_service_label_is_refused() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let running = [h1.containers(), h2.containers()];
    fleet.push_without_label("bare");
    let outcome = app.dhow().run(&["deploy", "-P", "--version", "bare"]);
    for host in [h1, h2] {
        let told = format!(
            "Image {} is missing the 'service' label",
            fleet.image("bare")
        );
        fails(&outcome, &host.address, &[&told]);
    }
    assert_eq!([h1.containers(), h2.containers()], running);
    no_locks(&fleet);
}

#[test]
fn a_version_that_the_registry_does_not_have_is_told_for_each_host() {
    let fleet = Fleet::take_clean();
    let app = deployed(&fleet);
    let (h1, h2) = (fleet.host("h1"), fleet.host("h2"));
    let running = [h1.containers(), h2.containers()];
    let outcome = app.dhow().run(&["deploy", "-P", "--version", "nowhere"]);
    for host in [h1, h2] {
        fails(&outcome, &host.address, &["lab/app:nowhere", "not found"]);
    }
    assert_eq!([h1.containers(), h2.containers()], running);
    no_locks(&fleet);
}
