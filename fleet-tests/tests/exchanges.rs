//! How often a host is spoken to, as its own sshd counts it: every command, subsystem and shell is one session.

use dhow_fleet_tests::{Fleet, Host, ScratchApp, tell};

/// Of a plain deploy, on each host.
const BUDGET: usize = 5;

/// parity: commands 59, 250, 251
#[test]
fn a_plain_deploy_takes_few_exchanges_and_one_connection_per_host() {
    let fleet = Fleet::take_clean();
    let all: Vec<&Host> = fleet.hosts.iter().collect();
    let config = ScratchApp::config(&fleet, &all) + "readiness_delay: 0\n";
    let app = ScratchApp::new(&fleet, &config);
    let dhow = app.dhow();
    fleet.push_versions(&["one", "two"], "healthy");
    dhow.run(&["setup", "-P", "--version", "one"]).expect();

    let counted = |arguments: &[&str]| -> Vec<(usize, usize)> {
        let before: Vec<_> = all.iter().map(|h| (h.sessions(), h.logins())).collect();
        dhow.run(arguments).expect();
        std::iter::zip(&all, before)
            .map(|(host, (sessions, logins))| (host.sessions() - sessions, host.logins() - logins))
            .collect()
    };
    let deploy = counted(&["deploy", "-P", "--version", "two"]);
    let again = counted(&["deploy", "-P", "--version", "two"]);
    let redeploy = counted(&["redeploy", "-P", "--version", "one"]);
    let rollback = counted(&["rollback", "two"]);
    tell(&format!(
        "exchanges and connections per host: deploy {deploy:?}, again {again:?}, redeploy {redeploy:?}, rollback {rollback:?}"
    ));
    for (exchanges, connections) in [deploy, again, redeploy, rollback].concat() {
        // A count of nothing would be a test of nothing.
        assert!((1..=BUDGET).contains(&exchanges), "{exchanges} exchanges");
        assert_eq!(connections, 1, "connections");
    }
}
