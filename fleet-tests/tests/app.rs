//! The demo app and the load generator on the fleet: what they report is what happens.

use std::thread::sleep;
use std::time::Duration;

use dhow_fleet_tests::{Fleet, Host, Load, ScratchApp};

fn pull(fleet: &Fleet, host: &Host, image: &str) {
    let (user, registry) = (&fleet.registry_user, &fleet.registry);
    let command =
        format!("docker login -u {user} --password-stdin {registry} && docker pull -q {image}");
    host.run_with(&command, fleet.registry_password()).expect();
}

fn run_app(fleet: &Fleet, host: &Host, image: &str) {
    pull(fleet, host, image);
    host.run(&format!(
        "docker run -d --name app --restart unless-stopped -p 80:80 {image}"
    ))
    .expect();
}

#[test]
fn load_on_a_quiet_host_loses_nothing_and_a_restart_under_load_is_noticed() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h1");
    run_app(&fleet, host, &fleet.push_app("quiet", "healthy"));

    let load = Load::start(&[host.url()], 100);
    sleep(Duration::from_secs(2));
    let quiet = load.stop().all;
    assert!(quiet.sent > 150 && quiet.failed == 0, "{quiet:?}");
    assert_eq!(
        quiet
            .versions
            .iter()
            .map(|seen| seen.version.as_str())
            .collect::<Vec<_>>(),
        ["quiet"]
    );

    // The control: without a proxy a restart does lose requests, and the account says so.
    let load = Load::start(&[host.url()], 100);
    host.run("docker restart app").expect();
    let restarted = load.stop().all;
    assert!(
        restarted.failed > 0 && restarted.succeeded + restarted.failed == restarted.sent,
        "{restarted:?}"
    );
}

#[test]
fn a_container_comes_back_after_a_reboot_and_after_a_power_cut() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h2");
    run_app(&fleet, host, &fleet.push_app("steady", "healthy"));
    for cut in [Host::reboot, Host::crash] {
        cut(host);
        assert_eq!(host.containers(), ["app"]);
        drop(Load::start(&[host.url()], 10));
    }
}

#[test]
fn an_app_that_exits_at_boot_says_why_and_a_worker_ends_at_once_when_told() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h3");
    let broken = fleet.push_app("broken", "exits");
    pull(&fleet, host, &broken);
    let ended = host.run(&format!("docker run --rm {broken}"));
    assert!(
        ended.code == 3 && ended.stderr.contains("DATABASE_URL"),
        "{ended:?}"
    );

    host.run(&format!(
        "docker run -d --name worker {broken} lab-app worker"
    ))
    .expect();
    sleep(Duration::from_secs(1));
    let stopped = host.run("docker stop worker");
    stopped.expect();
    assert!(stopped.took < Duration::from_secs(3), "{:?}", stopped.took);
    assert_eq!(
        host.run("docker inspect -f '{{.State.ExitCode}}' worker")
            .expect(),
        "0"
    );
}

#[test]
fn a_scratch_app_is_a_clean_repository_whose_head_is_the_last_commit() {
    let fleet = Fleet::take();
    let app = ScratchApp::new(
        &fleet,
        &ScratchApp::config(&fleet, &[fleet.host("h1"), fleet.host("h2")]),
    );
    assert_eq!(app.git(&["status", "--porcelain"]), "");
    app.set_mode("unhealthy");
    assert_eq!(app.git(&["status", "--porcelain"]), "M lab-mode");
    let version = app.commit("second");
    assert_eq!(
        (app.git(&["status", "--porcelain"]).as_str(), version.len()),
        ("", 40)
    );
    assert_eq!(app.git(&["rev-parse", "HEAD"]), version);
    let config = std::fs::read_to_string(app.dir().join("config/deploy.yml")).unwrap();
    assert!(
        config.contains("  web:\n    - 10.77.0.11\n    - 10.77.0.12\nregistry:\n"),
        "{config}"
    );
}
