//! Deploys and rollbacks in a row under load on every host: no request is lost, and in the end there is what should be there.

use dhow_fleet_tests::{Fleet, Host, Load, ScratchApp, tell};

/// Requests a second to each host, the slow ones not counted.
const RATE: u32 = 300;
/// How many stopped containers a deploy leaves, as Kamal does by default.
const RETAINED: usize = 5;

/// The fleet's hosts as web servers, and a worker on the first.
fn config(fleet: &Fleet) -> String {
    let all: Vec<&Host> = fleet.hosts.iter().collect();
    let config = ScratchApp::config(fleet, &all);
    let worker = format!(
        "  worker:\n    hosts:\n      - {}\n    cmd: lab-app worker\nregistry:",
        fleet.hosts[0].address
    );
    config.replace("registry:", &worker) + "readiness_delay: 0\ndeploy_timeout: 20\n"
}

/// What should be on a host, as Kamal's rules have it: a container keeps its name until another of its version is started.
struct Expected {
    roles: &'static [&'static str],
    /// In the order in which they were made.
    stopped: Vec<String>,
    running: Vec<String>,
}

impl Expected {
    fn on(host: &Host) -> Self {
        let roles: &[&str] = match host.name.as_str() {
            "h1" => &["web", "worker"],
            _ => &["web"],
        };
        Self {
            roles,
            stopped: Vec::new(),
            running: Vec::new(),
        }
    }

    fn started(&mut self, version: &str) {
        let new: Vec<_> = self
            .roles
            .iter()
            .map(|role| format!("lab-{role}-{version}"))
            .collect();
        self.stopped.append(&mut self.running);
        for name in &mut self.stopped {
            if new.contains(name) {
                name.push_str("_replaced_");
            }
        }
        self.running = new;
    }

    /// Five are kept of the service, not of each role.
    fn pruned(&mut self) {
        let surplus = self.stopped.len().saturating_sub(RETAINED);
        self.stopped.drain(..surplus);
    }

    fn check(&self, host: &Host) {
        let mut running = self.running.clone();
        running.push("kamal-proxy".to_owned());
        assert_eq!(
            host.containers(),
            sorted(running),
            "running on {}",
            host.name
        );
        let stopped = host.stopped_containers();
        let stopped = stopped.iter().map(|name| stable(name)).collect();
        assert_eq!(
            sorted(stopped),
            sorted(self.stopped.clone()),
            "stopped on {}",
            host.name
        );
        assert_eq!(host.locks(), "", "a lock was left on {}", host.name);
    }
}

/// Takes the random end of a name away.
fn stable(name: &str) -> String {
    name.find("_replaced_")
        .map_or_else(|| name.to_owned(), |at| name[..at + 10].to_owned())
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn switch(deploys: usize, rollbacks: usize) {
    let fleet = Fleet::take_clean();
    let app = ScratchApp::new(&fleet, &config(&fleet));
    let dhow = app.dhow();
    let mut versions = vec![app.change("healthy")];
    dhow.run(&["setup"]).expect();
    let mut expected: Vec<_> = fleet.hosts.iter().map(Expected::on).collect();
    expected.iter_mut().for_each(|e| e.started(&versions[0]));

    let urls: Vec<_> = fleet.hosts.iter().map(Host::url).collect();
    let load = Load::start(&urls, RATE);
    for _ in 0..deploys {
        let version = app.change("healthy");
        dhow.run(&["deploy"]).expect();
        for expected in &mut expected {
            expected.started(&version);
            // Only a deploy tidies up.
            expected.pruned();
        }
        versions.push(version);
    }
    let mut served = versions.clone();
    for number in 0..rollbacks {
        // Without a version to the one before, else to the one before that.
        let version = match number % 2 {
            0 => {
                dhow.run(&["rollback"]).expect();
                let current = served.last().unwrap();
                served.iter().rev().find(|v| *v != current).unwrap().clone()
            }
            _ => {
                let version = versions[versions.len() - 3].clone();
                dhow.run(&["rollback", &version]).expect();
                version
            }
        };
        expected.iter_mut().for_each(|e| e.started(&version));
        served.push(version);
    }
    let report = load.stop();

    assert_eq!(
        report.all.failed, 0,
        "requests were lost: {:#?}",
        report.all.failures
    );
    for target in &report.targets {
        let rate = target.sent as f64 / target.seconds;
        assert!(
            rate >= f64::from(RATE),
            "only {rate:.0} requests/s were sent to {}",
            target.target
        );
        let slow = target.slow as f64 / target.seconds;
        assert!(
            slow > 0.9,
            "a 3-second request a second should start, not {slow:.2}"
        );
        let mut seen: Vec<_> = target.versions.iter().map(|v| v.version.clone()).collect();
        seen.sort();
        let mut all = versions.clone();
        all.sort();
        assert_eq!(seen, all, "the versions that answered on {}", target.target);
    }
    for (host, expected) in std::iter::zip(&fleet.hosts, &expected) {
        expected.check(host);
    }
    let all = &report.all;
    tell(&format!(
        "{deploys} deploys and {rollbacks} rollbacks on {} hosts: {} requests, {} failed, p99 {:.0} ms, longest {:.0} ms",
        fleet.hosts.len(),
        all.sent,
        all.failed,
        all.latency_ms.p99,
        all.latency_ms.max
    ));
}

#[test]
fn deploys_and_rollbacks_in_a_row_lose_no_request_and_leave_what_should_be_there() {
    switch(5, 2);
}

#[test]
#[ignore = "takes minutes: bin/test --full runs it"]
fn twenty_deploys_and_five_rollbacks_in_a_row_lose_no_request_and_leave_what_should_be_there() {
    switch(20, 5);
}

#[test]
fn without_draining_the_same_load_does_lose_requests() {
    let fleet = Fleet::take_clean();
    let app = ScratchApp::new(&fleet, &(config(&fleet) + "drain_timeout: 0\n"));
    let dhow = app.dhow();
    dhow.run(&["setup"]).expect();
    let urls: Vec<_> = fleet.hosts.iter().map(Host::url).collect();
    let load = Load::start(&urls, RATE);
    // The requests that are under way at the switch are what is lost, so they must have begun.
    std::thread::sleep(std::time::Duration::from_secs(3));
    app.change("healthy");
    dhow.run(&["deploy"]).expect();
    let report = load.stop();
    for target in &report.targets {
        assert!(
            target.failed > 0,
            "nothing was lost on {}, so this load would not notice",
            target.target
        );
    }
}
