//! Versions that must not go live: their deploy fails and says why, and the version before goes on serving.

use dhow_fleet_tests::{Fleet, Host, Load, ScratchApp};

/// How long a new version has to become healthy, in seconds.
const DEPLOY_TIMEOUT: u32 = 6;

fn config(fleet: &Fleet) -> String {
    let hosts = [fleet.host("h1"), fleet.host("h2")];
    ScratchApp::config(fleet, &hosts) + &format!("deploy_timeout: {DEPLOY_TIMEOUT}\n")
}

#[test]
fn a_bad_version_is_refused_with_its_last_probe_and_its_log_and_the_old_one_goes_on() {
    let fleet = Fleet::take_clean();
    let hosts = [fleet.host("h1"), fleet.host("h2")];
    let app = ScratchApp::new(&fleet, &config(&fleet));
    let dhow = app.dhow();
    let good = app.commit("good");
    dhow.run(&["setup"]).expect();

    let urls: Vec<_> = hosts.iter().map(|host| host.url()).collect();
    let load = Load::start(&urls, 100);
    // How the version misbehaves, what the proxy's last look at it found, and what the app itself says.
    let cases = [
        ("unhealthy", "500", "listening on port 80"),
        ("deaf", "refused", "Deaf"),
        ("exits", "", "cannot start: DATABASE_URL is not set"),
        ("redirecting", "301", "listening on port 80"),
    ];
    for (mode, probe, log) in cases {
        let bad = app.change(mode);
        let outcome = dhow.run(&["deploy"]);
        let told = outcome.errors();
        let context = || format!("{mode}: {outcome:?}");
        assert_eq!(outcome.code, 1, "{}", context());
        assert!(
            told.contains("target failed to become healthy"),
            "{}",
            context()
        );
        assert!(told.contains(probe), "no last probe: {}", context());
        assert!(told.contains(log), "no log of the app: {}", context());
        if mode == "exits" {
            assert!(told.contains("exit code 3"), "{}", context());
        }
        if mode == "redirecting" {
            assert!(told.contains("https://app.example.com/up"), "{}", context());
        }
        for host in hosts {
            assert!(told.contains(&host.address), "{}", context());
            still_as_before(host, &good, &bad);
        }
        assert!(outcome.took.as_secs() < 60, "{}", context());
    }
    let report = load.stop();
    assert_eq!(report.all.failed, 0, "{:#?}", report.all.failures);
    let seen: Vec<_> = report.all.versions.iter().map(|v| &v.version).collect();
    assert_eq!(seen, [&good]);

    // A good one after all the bad ones: nothing that they left is in its way.
    let better = app.change("healthy");
    dhow.run(&["deploy"]).expect();
    for host in hosts {
        assert_eq!(
            host.containers(),
            ["kamal-proxy".to_owned(), format!("lab-web-{better}")]
        );
    }
}

fn still_as_before(host: &Host, good: &str, bad: &str) {
    assert_eq!(
        host.containers(),
        ["kamal-proxy".to_owned(), format!("lab-web-{good}")],
        "running on {}",
        host.name
    );
    let new = format!("lab-web-{bad}");
    assert!(
        host.stopped_containers().contains(&new),
        "`{new}` should be there, stopped, to be looked at"
    );
    let state = host.run(&format!("docker inspect -f '{{{{.State.Status}}}}' {new}"));
    assert_eq!(state.expect(), "exited");
    assert_eq!(host.locks(), "", "a lock was left on {}", host.name);
}

#[test]
fn roles_wait_for_the_first_web_container_and_a_worker_that_cannot_start_is_told_too() {
    let fleet = Fleet::take_clean();
    let (web, worker) = (fleet.host("h2"), fleet.host("h3"));
    let servers = format!(
        "  worker:\n    hosts:\n      - {}\n    cmd: lab-app worker\nregistry:",
        worker.address
    );
    let config = ScratchApp::config(&fleet, &[web]).replace("registry:", &servers)
        + &format!("deploy_timeout: {DEPLOY_TIMEOUT}\nreadiness_delay: 1\n");
    let app = ScratchApp::new(&fleet, &config);
    let dhow = app.dhow();
    let good = app.commit("good");
    dhow.run(&["setup"]).expect();
    let on_web = |version: &str| ["kamal-proxy".to_owned(), format!("lab-web-{version}")];
    let on_worker = |version: &str| [format!("lab-worker-{version}")];

    // The web role does not come up, so the worker's old container is not touched.
    let bad = app.change("unhealthy");
    let outcome = dhow.run(&["deploy"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome
            .stdout
            .contains("First web container is unhealthy, not booting worker on"),
        "{outcome:?}"
    );
    assert!(
        outcome.errors().contains("Halted at barrier"),
        "{outcome:?}"
    );
    assert_eq!(web.containers(), on_web(&good));
    assert_eq!(worker.containers(), on_worker(&good));
    let made = format!("lab-worker-{bad}");
    assert!(!worker.stopped_containers().contains(&made), "`{made}`");

    // The web role does, the worker does not.
    let broken = config.replace("cmd: lab-app worker", "cmd: lab-app exit 7");
    app.write("config/deploy.yml", &broken);
    let half = app.change("healthy");
    let outcome = dhow.run(&["deploy"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let told = outcome.errors();
    assert!(
        told.contains("container not ready after 6 seconds") && told.contains("exit code 7"),
        "{outcome:?}"
    );
    assert_eq!(web.containers(), on_web(&half));
    assert_eq!(worker.containers(), on_worker(&good));
    for host in [web, worker] {
        assert_eq!(host.locks(), "", "a lock was left on {}", host.name);
    }

    // The next good one makes both of one version again.
    app.write("config/deploy.yml", &config);
    let better = app.change("healthy");
    dhow.run(&["deploy"]).expect();
    assert_eq!(web.containers(), on_web(&better));
    assert_eq!(worker.containers(), on_worker(&better));
}
