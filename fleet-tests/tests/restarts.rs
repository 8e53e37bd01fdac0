//! Hosts and Engines that go down under a deployed app: it comes back without help, and the proxy with all that it was told.

use std::time::{Duration, Instant};

use dhow_fleet_tests::{Fleet, Host, Load, Outcome, ScratchApp};

/// A host header that the app is routed by, and one that it is not.
const NAME: &str = "lab.example.com";
const OTHER: &str = "other.example.com";

/// Until when an app must serve again after its host has come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What takes a host down, and how; it is up again afterwards.
type Cut = (&'static str, fn(&Host));

fn status(host: &Host, name: &str) -> String {
    let mut curl = std::process::Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}"])
        .args(["-H", &format!("Host: {name}"), &host.url()]);
    Outcome::of(&mut curl, "").stdout
}

#[track_caller]
fn becomes(host: &Host, name: &str, wanted: &str) {
    let start = Instant::now();
    loop {
        let seen = status(host, name);
        if seen == wanted {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{} should answer {wanted} for {name}, not {seen}",
            host.name
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the proxy says it routes where, without the colours.
fn routes(host: &Host) -> String {
    host.run("docker exec kamal-proxy kamal-proxy list")
        .expect()
        .to_owned()
}

#[test]
fn an_app_serves_again_after_a_reboot_a_power_cut_and_a_restart_of_the_engine() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h2");
    let config = ScratchApp::config(&fleet, &[host]) + &format!("proxy:\n  host: {NAME}\n");
    let app = ScratchApp::new(&fleet, &config);
    let dhow = app.dhow();
    fleet.push_versions(&["one", "two"], "healthy");
    dhow.run(&["setup", "-P", "--version", "one"]).expect();
    becomes(host, NAME, "200");
    becomes(host, OTHER, "404");
    let containers = host.containers();
    let before = routes(host);
    assert!(
        before.contains("lab-web") && before.contains(NAME),
        "{before}"
    );

    let restart: fn(&Host) = |host| {
        host.stop_docker();
        host.start_docker();
    };
    // Not a crash of the Engine: the one of Debian 12 stops every container at its next start, and leaves it stopped, whatever its
    // restart policy.
    let cuts: [Cut; 3] = [
        ("a reboot", Host::reboot),
        ("a power cut", Host::crash),
        ("a restart of the Engine", restart),
    ];
    for (what, cut) in cuts {
        cut(host);
        becomes(host, NAME, "200");
        becomes(host, OTHER, "404");
        assert_eq!(host.containers(), containers, "after {what}");
        assert_eq!(routes(host), before, "after {what}");
    }

    // What somebody has told the proxy about the app outlives a restart as well.
    host.run(
        "docker exec kamal-proxy kamal-proxy stop lab-web --drain-timeout=1s --message=closed",
    )
    .expect();
    becomes(host, NAME, "503");
    restart(host);
    becomes(host, OTHER, "404");
    becomes(host, NAME, "503");
    host.run("docker exec kamal-proxy kamal-proxy resume lab-web")
        .expect();
    becomes(host, NAME, "200");

    // And a deploy afterwards is a deploy as any other.
    let load = Load::start_for(&[host.url()], 50, Some(NAME));
    dhow.run(&["deploy", "-P", "--version", "two"]).expect();
    let report = load.stop();
    assert_eq!(report.all.failed, 0, "{:#?}", report.all.failures);
    assert_eq!(host.containers(), ["kamal-proxy", "lab-web-two"]);
}
