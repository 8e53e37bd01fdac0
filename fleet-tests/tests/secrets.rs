//! Where secrets must not be: in the arguments of any program, in what dhow prints, in any file that others can read. Each way of
//! looking is shown to find a secret that is there.

use std::path::Path;
use std::time::SystemTime;

use dhow_fleet_tests::{
    DockerShim, ExecTrace, Fleet, Host, Outcome, ScratchApp, local_docker_shim, traced,
};

const API_KEY: &str = "k3y-of-the-api-71c2d9";
const BUILD_TOKEN: &str = "t0ken-of-the-build-5ae013";
/// Given as a clear value: no secret to dhow, so it is where a secret must not be.
const PLANTED: &str = "pl4nted-in-the-clear-9d20be";

/// All that was started and printed while a command ran.
struct Seen {
    /// Where, and what was there.
    places: Vec<(String, String)>,
}

impl Seen {
    /// The places that this is in.
    fn with(&self, text: &str) -> Vec<&str> {
        let found = self.places.iter().filter(|(_, seen)| seen.contains(text));
        found.map(|(place, _)| place.as_str()).collect()
    }
}

/// Runs a command of the program under test with every program watched that it starts, here and on the hosts.
fn watched(fleet: &Fleet, app: &ScratchApp, arguments: &[&str]) -> Seen {
    let scratch = tempfile::tempdir().unwrap();
    let path = format!(
        "{}:{}",
        scratch.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let local_log = local_docker_shim(&scratch.path().join("bin"));
    let shims: Vec<_> = fleet.hosts.iter().map(DockerShim::on).collect();
    let traces: Vec<_> = fleet
        .hosts
        .iter()
        .map(|host| ExecTrace::of(host, scratch.path()))
        .collect();
    let strace_log = scratch.path().join("local.strace");
    let command = app
        .dhow()
        .env("API_KEY", API_KEY)
        .env("BUILD_TOKEN", BUILD_TOKEN)
        .env("PATH", &path)
        .command(arguments);
    let outcome = Outcome::of(&mut traced(&command, &strace_log), "");
    outcome.expect();

    let mut places = vec![
        ("stdout".to_owned(), outcome.stdout),
        ("stderr".to_owned(), outcome.stderr),
    ];
    let local = std::fs::read_to_string(&strace_log).unwrap();
    places.push(("a program here".to_owned(), local));
    let local = std::fs::read_to_string(&local_log).unwrap();
    places.push(("docker here".to_owned(), local));
    for ((host, trace), shim) in fleet.hosts.iter().zip(traces).zip(&shims) {
        let programs = trace.stop();
        // A trace of nothing would find nothing.
        for expected in ["\"sh\"", "docker", "runc"] {
            assert!(
                programs.contains(expected),
                "the trace on {} did not see `{expected}`:\n{programs}",
                host.name
            );
        }
        assert!(
            shim.calls().contains("KAMAL_VERSION") || shim.calls().contains("--password-stdin"),
            "the `docker` on {} was not called: {}",
            host.name,
            shim.calls()
        );
        places.push((format!("a program on {}", host.name), programs));
        places.push((format!("docker on {}", host.name), shim.calls()));
        for log in ["sshd.log", "dockerd.log"] {
            let text = std::fs::read(host.log_dir().join(log)).unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            places.push((format!("{log} of {}", host.name), text));
        }
    }
    Seen { places }
}

/// Files on a host newer than a moment, with this in them, whose mode lets anybody but their owner at them. One line each, with its
/// mode. In Docker's own folders, where Docker chooses the modes, only those count that others can get to.
fn wide_files(host: &Host, since: SystemTime, text: &str) -> String {
    let since = since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // /proc and /sys hold no files, and /var/log/fleet is this machine's own.
    let script = format!(
        r#"find / \( -path /proc -o -path /sys -o -path /dev -o -path /fleet -o -path /var/log/fleet \) -prune \
             -o -type f -newermt @{since} -perm /077 -print0 2>/dev/null |
           xargs -0r grep -lF -e '{text}' -- 2>/dev/null |
           while read -r file; do
             closed=
             case $file in
               /var/lib/docker/* | /run/docker/* | /run/containerd/*)
                 dir=$(dirname "$file")
                 while [ "$dir" != / ]; do
                   [ -n "$(find "$dir" -maxdepth 0 -perm /011)" ] || closed=yes
                   dir=$(dirname "$dir")
                 done ;;
             esac
             [ -n "$closed" ] || stat -c '%A %n' "$file"
           done; true"#
    );
    host.run(&script).expect().to_owned()
}

/// The same on this machine, below a folder.
fn wide_files_here(dir: &Path, text: &str) -> String {
    let mut find = std::process::Command::new("sh");
    find.args([
        "-c",
        r#"find "$1" -type f -perm /077 -print0 | xargs -0r grep -lF -e "$2" --; true"#,
        "sh",
    ])
    .arg(dir)
    .arg(text);
    Outcome::of(&mut find, "").expect().to_owned()
}

fn config(fleet: &Fleet, more: &str) -> String {
    let all: Vec<&Host> = fleet.hosts.iter().collect();
    let config = ScratchApp::config(fleet, &all);
    let config = config.replace(
        "  driver: docker\n",
        "  driver: docker\n  secrets:\n    - BUILD_TOKEN\n",
    );
    format!(
        "{config}env:\n  secret:\n    - API_KEY\n    - ALIAS:API_KEY\n  clear:\n    GREETING: hello\n{more}"
    )
}

fn scratch_app(fleet: &Fleet, more: &str) -> ScratchApp {
    let app = ScratchApp::new(fleet, &config(fleet, more));
    app.write(
        ".kamal/secrets",
        "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\nAPI_KEY=$API_KEY\nBUILD_TOKEN=$BUILD_TOKEN\n",
    );
    app.commit("secrets");
    app
}

#[test]
fn no_secret_is_in_any_argument_output_log_or_readable_file() {
    let fleet = Fleet::take_clean();
    let app = scratch_app(&fleet, "");
    let since = SystemTime::now();
    let credentials = format!("{}:{}", fleet.registry_user, fleet.registry_password());
    let encoded = base64(&credentials);
    let secrets = [API_KEY, BUILD_TOKEN, fleet.registry_password(), &encoded];

    let commands: [&[&str]; 5] = [
        &["setup", "-v"],
        &["deploy", "-v", "--json"],
        &["redeploy", "-v"],
        &["rollback", "-v"],
        &["app", "exec", "-v", "lab-app say hello"],
    ];
    for (number, arguments) in commands.iter().enumerate() {
        if number < 3 {
            app.change("healthy");
        }
        let seen = watched(&fleet, &app, arguments);
        for secret in secrets {
            let places = seen.with(secret);
            assert!(
                places.is_empty(),
                "`{secret}` was in {places:?} during {arguments:?}"
            );
        }
    }
    // The app did get it.
    let has = fleet.hosts[0]
        .run("docker exec $(docker ps -q --filter label=role=web) lab-app env API_KEY");
    assert!(has.ok(), "{has:?}");
    for host in &fleet.hosts {
        for secret in secrets {
            let files = wide_files(host, since, secret);
            assert_eq!(files, "", "`{secret}` on {}", host.name);
        }
        let mode = host.run("stat -c '%a' /root/.kamal/apps/lab/env/roles/web.env");
        assert_eq!(mode.expect(), "600");
    }
    for secret in secrets {
        for dir in [&app.home(), &app.dir(), Path::new("/tmp/kamal-clones")] {
            let files = wide_files_here(dir, secret);
            assert_eq!(files, "", "`{secret}` in {}", dir.display());
        }
    }
}

#[test]
fn a_planted_leak_is_found_in_each_of_these_places() {
    let fleet = Fleet::take_clean();
    let app = scratch_app(&fleet, &format!("    PLANTED: {PLANTED}\n"));
    let since = SystemTime::now();
    let seen = watched(&fleet, &app, &["setup", "-v"]);
    let places = seen.with(PLANTED);
    for expected in [
        "stdout",
        "a program on h1",
        "docker on h1",
        "a program on h3",
        "docker on h3",
    ] {
        assert!(
            places.contains(&expected),
            "`{PLANTED}` was seen in {places:?}, and not in {expected}"
        );
    }
    let host = &fleet.hosts[1];
    host.run(&format!("echo {PLANTED} > /root/planted; chmod 640 /root/planted; echo {PLANTED} > /root/closed; chmod 600 /root/closed"))
        .expect();
    let files = wide_files(host, since, PLANTED);
    host.run("rm -f /root/planted /root/closed").expect();
    assert!(
        files.contains("-rw-r----- /root/planted") && !files.contains("/root/closed"),
        "{files}"
    );

    // A program started here.
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("log");
    let mut command = std::process::Command::new("true");
    command.arg(PLANTED);
    Outcome::of(&mut traced(&command, &log), "").expect();
    assert!(std::fs::read_to_string(&log).unwrap().contains(PLANTED));
    std::fs::write(scratch.path().join("wide"), PLANTED).unwrap();
    assert!(wide_files_here(scratch.path(), PLANTED).contains("wide"));
}

fn base64(text: &str) -> String {
    let mut base64 = std::process::Command::new("base64");
    Outcome::of(base64.args(["-w", "0"]), text)
        .expect()
        .to_owned()
}
