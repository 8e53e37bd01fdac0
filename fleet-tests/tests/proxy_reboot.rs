//! `proxy reboot` on real hosts: without a gap where only the program is another, by another container where its settings are.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dhow_fleet_tests::{Dhow, Fleet, Host, Load, Outcome, ScratchApp, tell};

/// Requests a second to each host.
const RATE: u32 = 200;
/// Until when the container's first process must have become the program that serves: clients that idle are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is said of a host; the command itself is shown before it, on lines that begin otherwise.
const NO_GAP: &str = "\nrestarted without a gap\n";
const GAP: &str = "\nthe proxy was away for ";
const REPLACED: &str = "\nreplaced: its settings differ: ";

fn app_on(fleet: &Fleet, hosts: &[&Host], more: &str) -> ScratchApp {
    let config = ScratchApp::config(fleet, hosts) + "readiness_delay: 0\n" + more;
    ScratchApp::new(fleet, &config)
}

/// The same program in other bytes, as another version of it would be.
fn another(dhow: &Dhow, folder: &Path) -> PathBuf {
    let path = folder.join("another");
    std::fs::copy(dhow.proxy_program(), &path).expect("copy the program");
    let file = std::fs::File::options().append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(b"another"));
    written.expect("write more bytes");
    path
}

fn sha256(path: &Path) -> String {
    let outcome = Outcome::of(std::process::Command::new("sha256sum").arg(path), "");
    let sum = outcome.expect().split(' ').next();
    sum.expect("a digest").to_owned()
}

/// What the container's first process runs.
fn program_of(host: &Host) -> String {
    let outcome = host.run(
        "sha256sum /proc/$(docker inspect --format '{{.State.Pid}}' kamal-proxy)/exe | cut -d ' ' -f 1",
    );
    outcome.expect().to_owned()
}

#[track_caller]
fn becomes(host: &Host, digest: &str) {
    let start = Instant::now();
    while program_of(host) != digest {
        assert!(
            start.elapsed() < PATIENCE,
            "{} still runs {}, not {digest}",
            host.name,
            program_of(host)
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Which container it is, what it was told, and since when it runs.
fn container(host: &Host) -> String {
    let outcome = host.run(
        "docker inspect --format '{{.Id}} {{json .Config.Cmd}} {{.RestartCount}} {{.State.StartedAt}}' kamal-proxy",
    );
    outcome.expect().to_owned()
}

/// Waits until every process but the first one has ended.
#[track_caller]
fn settles(host: &Host) {
    let start = Instant::now();
    // The first line is a head.
    let list = "docker top kamal-proxy -eo pid,stat,args | grep -v ' Z'";
    while host.run(list).expect().lines().count() > 2 {
        assert!(
            start.elapsed() < PATIENCE,
            "{}: {}",
            host.name,
            host.run(list).stdout
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn takeovers(host: &Host) -> usize {
    let log = host.run("docker logs kamal-proxy 2>&1").stdout;
    log.matches("Took over from the proxy before").count()
}

#[track_caller]
fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

/// parity: commands 187
#[test]
fn a_reboot_with_equal_settings_loses_no_request_and_closes_no_port() {
    let fleet = Fleet::take_clean();
    let hosts: Vec<&Host> = fleet.hosts.iter().collect();
    let app = app_on(&fleet, &hosts, "");
    let dhow = app.dhow();
    dhow.run(&["setup"]).expect();
    let before: Vec<_> = hosts.iter().map(|host| container(host)).collect();
    let newer = another(&dhow, &app.home());
    let digest = sha256(&newer);
    let dhow_of_newer = dhow.clone().with_proxy_binary(&newer);

    let urls: Vec<_> = fleet.hosts.iter().map(Host::url).collect();
    let load = Load::start(&urls, RATE);
    // The same program first, then another one, one host after the other.
    let same = dhow.run(&["proxy", "reboot", "-y"]);
    let other = dhow_of_newer.run(&["proxy", "reboot", "-y", "--rolling"]);
    for told in [same.expect(), other.expect()] {
        assert_eq!(count(told, NO_GAP), hosts.len(), "{told}");
        assert_eq!(count(told, GAP), 0, "{told}");
    }
    let version = app.change("healthy");
    dhow_of_newer.run(&["deploy"]).expect();
    let report = load.stop();
    assert_eq!(report.all.failed, 0, "{:#?}", report.all.failures);

    let details = dhow.run(&["proxy", "details"]);
    let says = count(
        details.expect(),
        "The program in it is now that of dhow/kamal-proxy:",
    );
    assert_eq!(says, hosts.len(), "{details:?}");
    for (host, before) in std::iter::zip(&hosts, before) {
        settles(host);
        assert_eq!(container(host), before, "{}", host.name);
        assert!(takeovers(host) >= 2, "{}", host.name);
        assert_eq!(
            host.containers(),
            ["kamal-proxy".to_owned(), format!("lab-web-{version}")]
        );
        let stopped = host.stopped_containers();
        assert!(
            !stopped.iter().any(|name| name.contains("proxy")),
            "{stopped:?}"
        );
        becomes(host, &digest);
        // And it stays that when the container starts anew.
        host.run("docker restart kamal-proxy").expect();
        becomes(host, &digest);
    }
    let all = &report.all;
    tell(&format!(
        "two proxy reboots on {} hosts: {} requests, {} failed, p99 {:.0} ms, longest {:.0} ms",
        hosts.len(),
        all.sent,
        all.failed,
        all.latency_ms.p99,
        all.latency_ms.max
    ));
}

#[test]
fn a_reboot_with_other_settings_says_which_and_how_long_nobody_served() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h1");
    let app = app_on(&fleet, &[host], "");
    let dhow = app.dhow();
    dhow.run(&["setup"]).expect();
    let before = container(host);
    let plain = ScratchApp::config(&fleet, &[host]);
    app.write(
        "config/deploy.yml",
        &(plain.clone() + "x-dhow: { proxy: { timeouts: { idle: 77 } } }\n"),
    );
    let replaced = dhow.run(&["proxy", "reboot", "-y"]);
    let told = replaced.expect();
    assert!(told.contains(&format!("{REPLACED}command\n")), "{told}");
    assert_eq!(count(told, GAP), 1, "{told}");
    let now = container(host);
    assert_ne!(now.split(' ').next(), before.split(' ').next());
    assert!(now.contains("--idle-timeout=77s"), "{now}");

    // Options of Docker's, of which the container is told nothing.
    app.write(
        "config/deploy.yml",
        &plain.replace(
            "registry:\n",
            "proxy: { run: { options: { label: [\"lab.a=b\"], memory: 200m } } }\nregistry:\n",
        ),
    );
    let replaced = dhow.run(&["proxy", "reboot", "-y"]);
    let told = replaced.expect();
    assert!(
        told.contains(&format!("{REPLACED}Memory MemorySwap command labels\n")),
        "{told}"
    );
    // Nothing is different any more.
    let restarted = dhow.run(&["proxy", "reboot", "-y"]);
    let told = restarted.expect();
    assert!(told.contains(NO_GAP), "{told}");

    // A container that can't be made leaves the one that runs alone.
    let now = container(host);
    app.write(
        "config/deploy.yml",
        &plain.replace(
            "registry:\n",
            "proxy: { run: { options: { memory: nonsense } } }\nregistry:\n",
        ),
    );
    let failed = dhow.run(&["proxy", "reboot", "-y"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(container(host), now);
    assert_eq!(host.locks(), "");
    assert_eq!(host.stopped_containers(), Vec::<String>::new());
}

/// What curl prints: the status, where it is sent to, and the body.
fn curl(host: &Host, arguments: &[&str]) -> String {
    let mut curl = std::process::Command::new("curl");
    curl.args(["-s", "-m", "10", "-w", " %{http_code} %{redirect_url}"])
        .args(arguments)
        .arg(format!("{}/headers", host.url()));
    Outcome::of(&mut curl, "").stdout
}

#[test]
fn what_a_deploy_file_says_to_dhows_proxy_takes_effect() {
    let fleet = Fleet::take_clean();
    let host = fleet.host("h1");
    let settings = |trusted: &str| {
        format!(
            "proxy: {{ hosts: [lab.example.com, www.example.com] }}\nx-dhow: {{ proxy: {{ proxy_protocol: required, trusted_proxies: [{trusted}], canonical_host: lab.example.com }} }}\n"
        )
    };
    let app = app_on(&fleet, &[host], &settings("10.77.0.0/24"));
    let dhow = app.dhow();
    dhow.run(&["setup"]).expect();
    let ask = |name: &str, more: &[&str]| {
        let name = format!("Host: {name}");
        let forwarded = "X-Forwarded-For: 203.0.113.9";
        curl(host, &[&["-H", &name, "-H", forwarded], more].concat())
    };
    let proxied = ["--haproxy-protocol"];
    // For the whole proxy: who sends no PROXY header is not served.
    assert_eq!(ask("lab.example.com", &[]).trim(), "000");
    let served = ask("lab.example.com", &proxied);
    assert!(served.ends_with(" 200 "), "{served}");
    // For the service.
    let sent_on = ask("www.example.com", &proxied);
    assert!(
        sent_on.contains(" 30") && sent_on.ends_with(" http://lab.example.com/headers"),
        "{sent_on}"
    );
    assert!(served.contains("203.0.113.9"), "{served}");

    // Another network is trusted from the next deploy on.
    let config = ScratchApp::config(&fleet, &[host]) + "readiness_delay: 0\n";
    app.write("config/deploy.yml", &(config + &settings("192.0.2.0/24")));
    app.change("healthy");
    dhow.run(&["deploy"]).expect();
    let served = ask("lab.example.com", &proxied);
    assert!(served.ends_with(" 200 "), "{served}");
    assert!(!served.contains("203.0.113.9"), "{served}");
}
