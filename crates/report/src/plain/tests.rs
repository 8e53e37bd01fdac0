//! Kamal's lines, for events made by hand.

use dhow_run::{Failure, Level};

use super::*;
use crate::reporter::Format;
use crate::reporter::tests::{
    deploy, event, finished, output, report, said, started, strings, unhealthy,
};

fn plain(verbosity: Verbosity, colour: Colour, events: &[Event]) -> String {
    let options = Options {
        verbosity,
        colour,
        ..Options::default()
    };
    report(Format::Plain, options, events).replace('\u{1b}', "ESC")
}

/// parity: commands 32
#[test]
fn a_deploy_that_fails() {
    let text = plain(Verbosity::Normal, Colour::default(), &deploy());
    insta::assert_snapshot!(text, @r#"
    Pull app image...
      INFO [0000000a] Running docker pull app on 10.0.0.1
      INFO [0000000a] Finished in 2.000 seconds with exit status 0 (successful).
      INFO [0000000c] Running docker run --detach --env TOKEN=[REDACTED] app on 10.0.0.1
      INFO Uploading .kamal/a.env 100.0%
      INFO [0000000e] Running docker exec kamal-proxy kamal-proxy deploy app-web --target="10.0.0.2:80" -t [REDACTED] on 10.0.0.2
      INFO [0000000c] Finished in 1.100 seconds with exit status 7 (failed).
      INFO First web container is healthy on 10.0.0.1, booting any other roles
    Releasing the deploy lock...
      Finished all in 12.3 seconds
     ERROR Failed on 10.0.0.2
     ERROR Command: docker exec kamal-proxy kamal-proxy deploy app-web --target="10.0.0.2:80" -t [REDACTED]
     ERROR Exit status: 1
     ERROR Output: Error: target failed to become healthy
     ERROR last probe: GET /up: 500
     ERROR container log:
     ERROR 	booting
     ERROR 	no database at [REDACTED]
     ERROR Hint: look at the container's log
      ESC[31mERROR (SSHKit::Command::Failed): Exception while executing on host 10.0.0.2: docker exit status: 1
    docker stdout: Nothing written
    docker stderr: Error: target failed to become healthy
    ESC[0m
    "#);
}

/// parity: commands 33
#[test]
fn verbose_shows_commands_and_output() {
    let text = plain(Verbosity::Verbose, Colour::default(), &deploy());
    insta::assert_snapshot!(text.lines().take(14).collect::<Vec<_>>().join("\n"), @r#"
    Pull app image...
     DEBUG Connecting to 10.0.0.1
     DEBUG Connecting to 10.0.0.2
     DEBUG Connecting to web-3.example.com
      INFO [0000000a] Running docker pull app on 10.0.0.1
     DEBUG [0000000a] Command: docker pull app
     DEBUG [0000000a] 	Pulled
      INFO [0000000a] Finished in 2.000 seconds with exit status 0 (successful).
     DEBUG [0000000b] Running mkdir -p .kamal on 10.0.0.1
     DEBUG [0000000b] Command: mkdir -p .kamal
     DEBUG [0000000b] Finished in 0.100 seconds with exit status 0 (successful).
      INFO [0000000c] Running docker run --detach --env TOKEN=[REDACTED] app on 10.0.0.1
     DEBUG [0000000c] Command: docker run --detach --env TOKEN=[REDACTED] app
      INFO Uploading .kamal/a.env 100.0%
    "#);
}

/// parity: commands 34, 38
#[test]
fn quiet_shows_results_and_errors() {
    let mut events = deploy();
    let (header, host, text) = (
        "App Host".to_owned(),
        "10.0.0.1".to_owned(),
        "up\n".to_owned(),
    );
    events.insert(3, event(0.2, EventKind::Block { header, host, text }));
    events.insert(3, said(0.2, Level::Warn, "something old"));
    let quiet = plain(Verbosity::Quiet, Colour::default(), &events);
    assert!(
        quiet.starts_with("up\n\n  Finished all in 12.3 seconds\n ERROR Failed on 10.0.0.2\n"),
        "{quiet}"
    );
    assert!(
        !quiet.contains("INFO")
            && !quiet.contains("old")
            && !quiet.contains("Host:")
            && !quiet.contains("Pull"),
        "{quiet}"
    );
    let normal = plain(Verbosity::Normal, Colour::default(), &events);
    assert!(
        normal.contains("\nsomething old\n\nApp Host: 10.0.0.1\nup\n\n")
            || normal.contains("\nsomething old\nApp Host: 10.0.0.1\nup\n\n"),
        "{normal}"
    );
}

/// parity: commands 31, 35
#[test]
fn colours_follow_the_two_rules() {
    let events = [
        said(0.0, Level::Info, "Pull app image..."),
        said(0.0, Level::Warn, "old"),
        said(0.0, Level::Error, "bad"),
        started(0.0, "0000000a", Some("h"), "", "docker pull"),
        output(0.0, "0000000a", Stream::Stdout, "out"),
        output(0.0, "0000000a", Stream::Stderr, "err"),
        finished(0.0, "0000000a", 0, 0.12345, false),
        started(0.0, "0000000b", Some("h"), "", "docker rm"),
        finished(0.0, "0000000b", 1, 2.0, true),
    ];
    let all = Colour {
        status: true,
        log: true,
    };
    insta::assert_snapshot!(plain(Verbosity::Verbose, all, &events), @r#"
    ESC[35mPull app image...ESC[0m
    ESC[33moldESC[0m
    ESC[31mbadESC[0m
    ESC[0;34;49m  INFOESC[0m [ESC[0;32;49m0000000aESC[0m] Running ESC[1;33;49mdocker pullESC[0m on ESC[0;34;49mhESC[0m
    ESC[0;30;49m DEBUGESC[0m [ESC[0;32;49m0000000aESC[0m] Command: ESC[0;34;49mdocker pullESC[0m
    ESC[0;30;49m DEBUGESC[0m [ESC[0;32;49m0000000aESC[0m] 	ESC[0;32;49moutESC[0m
    ESC[0;30;49m DEBUGESC[0m [ESC[0;32;49m0000000aESC[0m] 	ESC[0;31;49merrESC[0m
    ESC[0;34;49m  INFOESC[0m [ESC[0;32;49m0000000aESC[0m] Finished in 0.123 seconds with exit status 0 (ESC[1;32;49msuccessfulESC[0m).
    ESC[0;34;49m  INFOESC[0m [ESC[0;32;49m0000000bESC[0m] Running ESC[1;33;49mdocker rmESC[0m on ESC[0;34;49mhESC[0m
    ESC[0;30;49m DEBUGESC[0m [ESC[0;32;49m0000000bESC[0m] Command: ESC[0;34;49mdocker rmESC[0m
    ESC[0;34;49m  INFOESC[0m [ESC[0;32;49m0000000bESC[0m] Finished in 2.000 seconds with exit status 1 (ESC[1;31;49mfailedESC[0m).
    "#);
    let log = Colour {
        status: false,
        log: true,
    };
    let text = plain(Verbosity::Normal, log, &events);
    assert!(
        text.starts_with("Pull app image...\nold\nbad\nESC[0;34;49m  INFOESC[0m ["),
        "{text}"
    );
}

/// parity: commands 46
#[test]
fn commands_here_name_the_user() {
    let events = [started(0.0, "0000000a", None, "", "git status")];
    let run = |user: Option<&str>| {
        let options = Options {
            local_user: user.map(str::to_owned),
            ..Options::default()
        };
        report(Format::Plain, options, &events)
    };
    assert_eq!(
        run(Some("ada")),
        "  INFO [0000000a] Running git status as ada@localhost\n"
    );
    assert_eq!(
        run(None),
        "  INFO [0000000a] Running git status on localhost\n"
    );
    assert_eq!(
        run(Some("")),
        "  INFO [0000000a] Running git status on localhost\n"
    );
}

#[test]
fn the_last_line_is_kamals() {
    let failed = |host: &str, failure: Failure| {
        event(
            1.0,
            EventKind::HostFailed {
                host: host.to_owned(),
                failure,
            },
        )
    };
    let halted = || Failure {
        command: None,
        exit: None,
        output: String::new(),
        evidence: Vec::new(),
        hint: None,
        class: "RuntimeError".to_owned(),
        message: "Halted at barrier".to_owned(),
    };
    let lock = || Failure {
        class: "Kamal::Cli::LockError".to_owned(),
        message: "Deploy lock found. Run 'kamal lock help' for more information".to_owned(),
        ..halted()
    };
    let last = |events: &[Event]| {
        let text = plain(Verbosity::Normal, Colour::default(), events);
        let at = text.find("  ESC[31mERROR").unwrap();
        text[at..].to_owned()
    };
    assert_eq!(
        last(&[event(1.0, EventKind::Failed { failure: lock() })]),
        "  ESC[31mERROR (Kamal::Cli::LockError): Deploy lock found. Run 'kamal lock help' for more information ESC[0m\n"
            .replace(" ESC[0m", "ESC[0m")
    );
    let both = [
        started(0.0, "0000000a", Some("10.0.0.2"), "", "docker exec"),
        output(0.0, "0000000a", Stream::Stderr, "Error: unhealthy"),
        finished(0.5, "0000000a", 1, 0.5, false),
        failed("10.0.0.2", unhealthy("10.0.0.2")),
        failed("10.0.0.3", halted()),
    ];
    assert_eq!(
        last(&both),
        "  ESC[31mERROR (SSHKit::Command::Failed): Exceptions on 2 hosts:\n\
         Exception while executing on host 10.0.0.2: docker exit status: 1\n\
         docker stdout: Nothing written\n\
         docker stderr: Error: unhealthy\n\
         \n\
         Exception while executing on host 10.0.0.3: Halted at barrierESC[0m\n"
    );
    // Said once, also when the command says nothing more.
    assert_eq!(
        plain(Verbosity::Normal, Colour::default(), &both)
            .matches("ESC[31m")
            .count(),
        1
    );
}

#[test]
fn only_deploys_are_timed_and_only_they() {
    for (command, timed) in [
        ("deploy", true),
        ("rollback", true),
        ("setup", true),
        ("app boot", false),
    ] {
        let (name, version, hosts) = (command.to_owned(), None, strings(&[]));
        let events = [
            event(
                0.0,
                EventKind::CommandStarted {
                    command: name,
                    version,
                    hosts,
                },
            ),
            event(
                1.0,
                EventKind::CommandFinished {
                    ok: true,
                    seconds: 1.0,
                    exit: 0,
                },
            ),
        ];
        let expected = if timed {
            "  Finished all in 1.0 seconds\n"
        } else {
            ""
        };
        assert_eq!(
            plain(Verbosity::Quiet, Colour::default(), &events),
            expected,
            "{command}"
        );
    }
}

#[test]
fn a_failure_is_timed_where_there_are_hosts() {
    for (hosts, expected) in [
        (strings(&[]), ""),
        (strings(&["10.0.0.1"]), "  Finished all in 1.0 seconds\n"),
    ] {
        let events = [
            event(
                0.0,
                EventKind::CommandStarted {
                    command: "deploy".to_owned(),
                    version: None,
                    hosts,
                },
            ),
            event(
                1.0,
                EventKind::CommandFinished {
                    ok: false,
                    seconds: 1.0,
                    exit: 1,
                },
            ),
        ];
        assert_eq!(
            plain(Verbosity::Normal, Colour::default(), &events),
            expected
        );
    }
}
