//! Made-up commands, and what every format makes of them.

use std::sync::{Arc, Mutex};

use dhow_run::{EventKind, Failure, Level, Stream};
use dhow_text::redact::Secret;

use super::*;

/// A secret that the hosts of these tests print all the time.
pub(crate) const TOKEN: &str = "s3cr3t-token";

pub(crate) fn redactor() -> Redactor {
    Redactor::new([Secret::new(TOKEN)])
}

pub(crate) fn event(at: f64, kind: EventKind) -> Event {
    Event {
        at: Duration::from_millis((at * 1000.0).round() as u64),
        kind,
    }
}

pub(crate) fn said(at: f64, level: Level, text: &str) -> Event {
    let text = text.to_owned();
    event(at, EventKind::Said { level, text })
}

pub(crate) fn started(at: f64, id: &str, host: Option<&str>, title: &str, command: &str) -> Event {
    event(
        at,
        EventKind::StepStarted {
            id: id.to_owned(),
            host: host.map(str::to_owned),
            role: host.map(|_| "web".to_owned()),
            title: title.to_owned(),
            command: command.to_owned(),
            debug: command.starts_with("mkdir"),
            loud: false,
        },
    )
}

pub(crate) fn output(at: f64, id: &str, stream: Stream, text: &str) -> Event {
    let (id, text) = (id.to_owned(), text.to_owned());
    event(at, EventKind::Output { id, stream, text })
}

pub(crate) fn finished(at: f64, id: &str, exit: i32, seconds: f64, tolerated: bool) -> Event {
    event(
        at,
        EventKind::StepFinished {
            id: id.to_owned(),
            exit: Some(exit),
            seconds,
            tolerated,
        },
    )
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn stage(at: f64, name: &str, hosts: &[&str]) -> Event {
    let stage = name.to_owned();
    let hosts = strings(hosts);
    event(at, EventKind::StageStarted { stage, hosts })
}

fn stage_ended(at: f64, name: &str, seconds: f64, ok: bool) -> Event {
    let stage = name.to_owned();
    event(at, EventKind::StageFinished { stage, seconds, ok })
}

pub(crate) fn unhealthy(host: &str) -> Failure {
    Failure {
        class: "SSHKit::Command::Failed".to_owned(),
        message: "docker exit status: 1".to_owned(),
        command: Some(format!(
            "docker exec kamal-proxy kamal-proxy deploy app-web --target=\"{host}:80\" -t {TOKEN}"
        )),
        exit: Some(1),
        output: "Error: target failed to become healthy".to_owned(),
        evidence: vec![
            ("last probe".to_owned(), "GET /up: 500".to_owned()),
            (
                "container log".to_owned(),
                format!("booting\nno database at {TOKEN}"),
            ),
        ],
        hint: Some("look at the container's log".to_owned()),
    }
}

pub(crate) const HOSTS: [&str; 3] = ["10.0.0.1", "10.0.0.2", "web-3.example.com"];

/// A deploy to three hosts, of which the second fails.
pub(crate) fn deploy() -> Vec<Event> {
    let [one, two, three] = HOSTS;
    let boot = format!("docker run --detach --env TOKEN={TOKEN} app");
    let mut events = vec![
        event(
            0.0,
            EventKind::CommandStarted {
                command: "deploy".to_owned(),
                version: Some("0123456789012345678901234567890123456789".to_owned()),
                hosts: strings(&HOSTS),
            },
        ),
        said(0.1, Level::Info, "Pull app image..."),
        stage(0.1, "pull", &HOSTS),
    ];
    events.extend(HOSTS.map(|host| {
        event(
            0.1,
            EventKind::Connecting {
                host: host.to_owned(),
            },
        )
    }));
    events.extend(HOSTS.map(|host| {
        let host = host.to_owned();
        event(0.4, EventKind::Connected { host, seconds: 0.3 })
    }));
    events.extend([
        started(
            0.5,
            "0000000a",
            Some(one),
            "pulling the image",
            "docker pull app",
        ),
        output(0.6, "0000000a", Stream::Stdout, "Pulled"),
        finished(2.5, "0000000a", 0, 2.0, false),
        started(
            2.5,
            "0000000b",
            Some(one),
            "making the folder",
            "mkdir -p .kamal",
        ),
        finished(2.6, "0000000b", 0, 0.1, false),
        stage_ended(3.0, "pull", 2.9, true),
        stage(3.0, "boot", &HOSTS),
        started(3.0, "0000000c", Some(one), "booting", &boot),
        started(
            3.0,
            "0000000d",
            Some(two),
            "writing a.env",
            "upload .kamal/a.env",
        ),
        event(
            3.2,
            EventKind::Progress {
                id: "0000000d".to_owned(),
                done: 1_500_000,
                total: Some(6_000_000),
            },
        ),
        finished(3.9, "0000000d", 0, 0.9, false),
        started(
            4.0,
            "0000000e",
            Some(two),
            "deploying to the proxy",
            &unhealthy(two).command.unwrap(),
        ),
        finished(4.1, "0000000c", 7, 1.1, true),
        said(
            4.2,
            Level::Info,
            "First web container is healthy on 10.0.0.1, booting any other roles",
        ),
        output(
            9.0,
            "0000000e",
            Stream::Stderr,
            "Error: target failed to become healthy",
        ),
        finished(9.0, "0000000e", 1, 5.0, false),
        event(
            9.1,
            EventKind::HostFailed {
                host: two.to_owned(),
                failure: unhealthy(two),
            },
        ),
        stage_ended(9.2, "boot", 6.2, false),
        said(9.3, Level::Info, "Releasing the deploy lock..."),
    ]);
    events.extend(
        [(one, 4.1, 3), (two, 6.0, 2), (three, 3.3, 1)].map(|(host, seconds, steps)| {
            let host = host.to_owned();
            event(
                12.2,
                EventKind::HostFinished {
                    host,
                    seconds,
                    steps,
                },
            )
        }),
    );
    events.push(event(
        12.3,
        EventKind::CommandFinished {
            ok: false,
            seconds: 12.3,
            exit: 1,
        },
    ));
    events
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a report of these events looks like.
pub(crate) fn report(format: Format, options: Options, events: &[Event]) -> String {
    let paper = Paper::default();
    let options = Options {
        redactor: redactor(),
        ..options
    };
    let mut reporter = Reporter::new(format, options, Box::new(paper.clone()));
    for event in events {
        reporter.event(event).unwrap();
        reporter.tick(event.at).unwrap();
    }
    reporter.finish().unwrap();
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn no_format_shows_a_secret() {
    let terminal = Some(TerminalInfo {
        width: 200,
        height: 50,
    });
    for format in [Format::Human, Format::Plain, Format::Json] {
        for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose] {
            for terminal in [None, terminal] {
                let options = Options {
                    verbosity,
                    terminal,
                    ..Options::default()
                };
                let text = report(format, options, &deploy());
                assert!(!text.contains(TOKEN), "{format:?} {verbosity:?}: {text}");
                assert!(
                    text.contains("[REDACTED]"),
                    "{format:?} {verbosity:?}: {text}"
                );
            }
        }
    }
}

#[test]
fn the_view_and_the_error_text_are_redacted_too() {
    let events = [
        event(
            0.0,
            EventKind::CommandStarted {
                command: "deploy".to_owned(),
                version: None,
                hosts: strings(&["h"]),
            },
        ),
        started(0.0, "1", Some("h"), &format!("pulling {TOKEN}"), "docker"),
        event(
            1.0,
            EventKind::Failed {
                failure: Failure {
                    message: format!("Hook failed: {TOKEN}"),
                    ..unhealthy("h")
                },
            },
        ),
    ];
    for format in [Format::Human, Format::Plain, Format::Json] {
        let options = Options {
            terminal: Some(TerminalInfo {
                width: 80,
                height: 24,
            }),
            ..Options::default()
        };
        let text = report(format, options, &events);
        assert!(!text.contains(TOKEN), "{text}");
        assert!(text.contains("Hook failed: [REDACTED]"), "{text}");
        if format == Format::Human {
            assert!(text.contains("web: pulling [REDACTED]"), "{text}");
        }
    }
}

#[test]
fn json_is_one_object_a_line() {
    let text = report(Format::Json, Options::default(), &deploy());
    assert_eq!(text.lines().count(), deploy().len());
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["v"], 1);
        assert!(
            value["at"].is_number() && value["event"].is_string(),
            "{line}"
        );
    }
    insta::assert_snapshot!(text.lines().take(14).collect::<Vec<_>>().join("\n"), @r#"
    {"v":1,"at":0.0,"event":"command_started","command":"deploy","version":"0123456789012345678901234567890123456789","hosts":["10.0.0.1","10.0.0.2","web-3.example.com"]}
    {"v":1,"at":0.1,"event":"said","level":"info","text":"Pull app image..."}
    {"v":1,"at":0.1,"event":"stage_started","stage":"pull","hosts":["10.0.0.1","10.0.0.2","web-3.example.com"]}
    {"v":1,"at":0.1,"event":"connecting","host":"10.0.0.1"}
    {"v":1,"at":0.1,"event":"connecting","host":"10.0.0.2"}
    {"v":1,"at":0.1,"event":"connecting","host":"web-3.example.com"}
    {"v":1,"at":0.4,"event":"connected","host":"10.0.0.1","seconds":0.3}
    {"v":1,"at":0.4,"event":"connected","host":"10.0.0.2","seconds":0.3}
    {"v":1,"at":0.4,"event":"connected","host":"web-3.example.com","seconds":0.3}
    {"v":1,"at":0.5,"event":"step_started","id":"0000000a","host":"10.0.0.1","role":"web","title":"pulling the image","command":"docker pull app","debug":false,"loud":false}
    {"v":1,"at":0.6,"event":"output","id":"0000000a","stream":"stdout","text":"Pulled"}
    {"v":1,"at":2.5,"event":"step_finished","id":"0000000a","exit":0,"seconds":2.0,"tolerated":false}
    {"v":1,"at":2.5,"event":"step_started","id":"0000000b","host":"10.0.0.1","role":"web","title":"making the folder","command":"mkdir -p .kamal","debug":true,"loud":false}
    {"v":1,"at":2.6,"event":"step_finished","id":"0000000b","exit":0,"seconds":0.1,"tolerated":false}
    "#);
}

/// What stands on a terminal of `width` columns after all this was written to it: a model of the few sequences that are used.
pub(crate) fn screen(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    let mut row = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(String::new());
                }
            }
            '\r' => {}
            '\u{1b}' => {
                assert_eq!(chars.next(), Some('['));
                let mut number = String::new();
                let letter = loop {
                    match chars.next().unwrap() {
                        c if c.is_ascii_digit() || c == '?' || c == ';' => number.push(c),
                        c => break c,
                    }
                };
                match (letter, number.as_str()) {
                    ('A', up) => row = row.checked_sub(up.parse::<usize>().unwrap()).unwrap(),
                    ('J', "") => {
                        lines.truncate(row);
                        lines.push(String::new());
                    }
                    ('h' | 'l', "?25" | "?7") | ('m', _) => {}
                    other => panic!("unknown sequence {other:?}"),
                }
            }
            c => lines[row].push(c),
        }
    }
    lines
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let paper = Paper::default();
    let options = Options {
        terminal: Some(TerminalInfo {
            width: 60,
            height: 24,
        }),
        ..Options::default()
    };
    let mut reporter = Reporter::new(Format::Human, options, Box::new(paper.clone()));
    for event in &deploy()[..14] {
        reporter.event(event).unwrap();
    }
    reporter.tick(Duration::from_secs(3)).unwrap();
    let shown = |paper: &Paper| String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert!(
        screen(&shown(&paper))
            .iter()
            .any(|line| line.contains("web-3"))
    );
    drop(reporter);
    let text = shown(&paper);
    assert_eq!(screen(&text), ["Pull app image...", ""]);
    assert!(
        text.rfind("\u{1b}[?25h") > text.rfind("\u{1b}[?25l"),
        "the cursor is back"
    );
    assert!(
        text.rfind("\u{1b}[?7h") > text.rfind("\u{1b}[?7l"),
        "lines wrap again"
    );
    // Also between frames, should the process die there.
    assert_eq!(
        text.matches("\u{1b}[?25h").count(),
        text.matches("\u{1b}[?25l").count()
    );
}

#[test]
fn a_pause_leaves_the_terminal_to_others() {
    let paper = Paper::default();
    let options = Options {
        terminal: Some(TerminalInfo {
            width: 60,
            height: 24,
        }),
        ..Options::default()
    };
    let mut reporter = Reporter::new(Format::Human, options, Box::new(paper.clone()));
    reporter.event(&deploy()[0]).unwrap();
    reporter.tick(Duration::ZERO).unwrap();
    reporter.pause().unwrap();
    reporter
        .event(&said(0.1, Level::Info, "Building..."))
        .unwrap();
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert_eq!(screen(&text), ["Building...", ""]);
}
