//! A deploy that is cut off at any moment: the app goes on answering, and the next deploy finishes the job without help.
//!
//! Moments are lines of the deploy's own list of events, spread over the whole of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use dhow_fleet_tests::{Dhow, Fleet, Host, Load, Outcome, Running, ScratchApp, tell};

/// Requests a second to each host.
const RATE: u32 = 50;
/// How long the deploy after a cut may take: as long as a lease lasts, and a deploy.
const PATIENCE: Duration = Duration::from_secs(75);

/// What cuts a deploy off.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// SIGKILL to the deployer.
    Kill,
    /// The hosts' sshd ends all sessions.
    Sessions,
    /// No packet of the deployer's connections arrives any more, in neither direction, and nobody is told.
    Silence,
    /// As [`Cut::Silence`], and the deployer dies with its machine: its hosts never hear of it.
    SilentKill,
}

/// A repository whose deploys go to all hosts, with an old-fashioned worker on the first.
fn app(fleet: &Fleet) -> ScratchApp {
    let all: Vec<&Host> = fleet.hosts.iter().collect();
    let worker = format!(
        "  worker:\n    hosts:\n      - {}\n    cmd: lab-app worker\nregistry:",
        fleet.hosts[0].address
    );
    let config = ScratchApp::config(fleet, &all).replace("registry:", &worker);
    let app = ScratchApp::new(
        fleet,
        &(config + "readiness_delay: 0\ndeploy_timeout: 20\n"),
    );
    // So that a dead connection is noticed in seconds. People wait longer by default, with the same end.
    std::fs::create_dir_all(app.home().join(".ssh")).unwrap();
    std::fs::write(
        app.home().join(".ssh/config"),
        "Host *\n  ServerAliveInterval 2\n  ServerAliveCountMax 2\n",
    )
    .unwrap();
    app
}

/// `count` numbers from 1 to `last`, one at random from each of as many equal parts. The same seed gives the same numbers.
fn spread(count: usize, last: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    (0..count)
        .map(|part| {
            // Knuth's multiplier; any would do.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (from, to) = (part * last / count, (part + 1) * last / count);
            1 + from + (state >> 33) as usize % (to - from).max(1)
        })
        .collect()
}

/// The deployer's SSH connections on a host: its end's ports.
fn connections(host: &Host) -> Vec<String> {
    host.run("ss -Htn state established '( sport = :22 )' | awk '{ print $4 }'")
        .expect()
        .lines()
        .filter_map(|peer| peer.rsplit(':').next())
        .map(str::to_owned)
        .collect()
}

fn end_sessions(host: &Host) {
    // The children of the listening sshd are its sessions.
    host.run("pkill -KILL -P $(cat /run/sshd.pid); true")
        .expect();
}

fn silence(host: &Host) {
    for port in connections(host) {
        host.run(&format!(
            "iptables -w -I INPUT -p tcp --dport 22 --sport {port} -j DROP && \
             iptables -w -I OUTPUT -p tcp --sport 22 --dport {port} -j DROP"
        ))
        .expect();
    }
}

fn end_silence(host: &Host) {
    host.run("iptables -w -F INPUT && iptables -w -F OUTPUT")
        .expect();
}

/// Starts a deploy and cuts it off when its `moment`th event appears; returns how it ended, and the event. A deploy that has fewer
/// events has ended by itself.
fn cut_off(
    fleet: &Fleet,
    dhow: &Dhow,
    version: &str,
    cut: Cut,
    moment: usize,
) -> (Outcome, String) {
    let mut running: Running = dhow.start(&["deploy", "-P", "--version", version, "--json"]);
    let mut event = "the end".to_owned();
    for number in 1..=moment {
        match running.line() {
            Some(line) if number == moment => event = line,
            Some(_) => {}
            None => break,
        }
    }
    let on_hosts = |act: fn(&Host)| {
        std::thread::scope(|scope| {
            for host in &fleet.hosts {
                scope.spawn(move || act(host));
            }
        });
    };
    let outcome = match cut {
        Cut::Kill => running.kill(),
        Cut::Sessions => {
            on_hosts(end_sessions);
            running.end()
        }
        Cut::Silence => {
            on_hosts(silence);
            let outcome = running.end();
            on_hosts(end_silence);
            outcome
        }
        Cut::SilentKill => {
            on_hosts(silence);
            running.kill()
        }
    };
    (outcome, event)
}

/// What an event is about, short.
fn title(event: &str) -> String {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(event) else {
        return event.to_owned();
    };
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    [text("event"), text("title"), text("stage"), text("text")]
        .join(" ")
        .trim()
        .to_owned()
}

fn cut_offs(cuts: &[Cut], seed: u64) {
    let fleet = Fleet::take_clean();
    let app = app(&fleet);
    let dhow = app.dhow();
    // A version for every cut, so that each is the first deploy of that version.
    let names: Vec<String> = (0..cuts.len() + 2).map(|n| format!("v{n}")).collect();
    let versions: Vec<&str> = names.iter().map(String::as_str).collect();
    fleet.push_versions(&versions, "healthy");
    dhow.run(&["setup", "-P", "--version", versions[0]])
        .expect();
    let whole = dhow.run(&["deploy", "-P", "--version", versions[1], "--json"]);
    let events = whole.expect().lines().count();

    let urls: Vec<_> = fleet.hosts.iter().map(Host::url).collect();
    let load = Load::start(&urls, RATE);
    let mut longest = Duration::ZERO;
    let moments = spread(cuts.len(), events, seed);
    for ((cut, moment), version) in std::iter::zip(cuts, &moments).zip(&versions[2..]) {
        let (outcome, event) = cut_off(&fleet, &dhow, version, *cut, *moment);
        let context = |more: &str| {
            let title = title(&event);
            let lines: Vec<&str> = outcome.stdout.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            format!(
                "{cut:?} at event {moment} of {events} ({title}): {more}\nthe last events before:\n{last}"
            )
        };
        if *cut != Cut::Kill && *cut != Cut::SilentKill {
            let ended = outcome.code == 0 || outcome.code == 1;
            assert!(ended, "{}", context("should end by itself"));
            let limit = Duration::from_secs(60);
            assert!(outcome.took < limit, "{}", context("should end soon"));
        }

        // The very next deploy, at once, without help.
        let start = Instant::now();
        let next = dhow.run(&["deploy", "-P", "--version", version]);
        let took = start.elapsed();
        if *cut == Cut::SilentKill {
            fleet.hosts.iter().for_each(end_silence);
        }
        assert!(next.ok(), "{}", context(&format!("the next: {next:?}")));
        assert!(took < PATIENCE, "{}", context(&format!("{took:?}")));
        longest = longest.max(took);
        for host in &fleet.hosts {
            let mut expected = vec!["kamal-proxy".to_owned(), format!("lab-web-{version}")];
            if host.name == "h1" {
                expected.push(format!("lab-worker-{version}"));
            }
            let running = host.containers();
            assert_eq!(
                running,
                expected,
                "{}",
                context(&format!("on {}", host.name))
            );
            assert_eq!(host.locks(), "", "{}", context("a lock was left"));
        }
    }
    sleep(Duration::from_secs(1));
    let report = load.stop();
    let told: Vec<_> = report.all.failures.iter().take(5).collect();
    assert_eq!(
        report.all.failed, 0,
        "of {} requests: {told:#?}",
        report.all.sent
    );
    tell(&format!(
        "{} cuts over {events} events: {} requests, {} failed, the longest deploy after a cut took {:.1} s",
        cuts.len(),
        report.all.sent,
        report.all.failed,
        longest.as_secs_f64()
    ));
}

/// parity: commands 93
#[test]
fn the_deployer_killed_at_six_moments() {
    cut_offs(&[Cut::Kill; 6], 1);
}

#[test]
fn connections_cut_at_six_moments() {
    use Cut::{Sessions, Silence, SilentKill};
    cut_offs(
        &[Sessions, SilentKill, Sessions, Silence, Sessions, Sessions],
        2,
    );
}

#[test]
#[ignore = "takes minutes: bin/test --full runs it"]
fn the_deployer_killed_at_thirty_moments() {
    cut_offs(&[Cut::Kill; 30], 3);
}

#[test]
#[ignore = "takes minutes: bin/test --full runs it"]
fn connections_cut_at_thirty_moments() {
    let cuts: Vec<Cut> = (0..30)
        .map(|number| match number % 5 {
            1 => Cut::Silence,
            3 => Cut::SilentKill,
            _ => Cut::Sessions,
        })
        .collect();
    cut_offs(&cuts, 4);
}
