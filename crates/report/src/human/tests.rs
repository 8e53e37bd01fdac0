//! The live view, frame by frame, on terminals of several sizes.

use std::time::Duration;

use dhow_run::{Event, EventKind};

use crate::reporter::tests::{deploy, event, report, screen, started, unhealthy};
use crate::reporter::{Format, Options, TerminalInfo, Verbosity};

const SIXTY: TerminalInfo = TerminalInfo {
    width: 60,
    height: 24,
};

/// What stands on the terminal once these events have happened, at `seconds`.
fn at(terminal: TerminalInfo, events: &[Event], seconds: f64) -> String {
    let mut human = super::Human::new(&Options {
        terminal: Some(terminal),
        ..Options::default()
    });
    let mut text: String = events.iter().map(|event| human.event(event)).collect();
    text.push_str(&human.tick(Duration::from_secs_f64(seconds)));
    screen(&text).join("\n")
}

fn until(seconds: f64) -> Vec<Event> {
    deploy()
        .into_iter()
        .filter(|event| event.at.as_secs_f64() <= seconds)
        .collect()
}

#[test]
fn three_hosts_on_sixty_columns() {
    insta::assert_snapshot!(at(SIXTY, &until(0.3), 0.3), @r#"
    Pull app image...
    deploy · 0123456 · pull · 0.3s
      10.0.0.1           connecting                        0.2s
      10.0.0.2           connecting                        0.2s
      web-3.example.com  connecting                        0.2s
    "#);
    insta::assert_snapshot!(at(SIXTY, &until(0.9), 1.5), @r#"
    Pull app image...
    deploy · 0123456 · pull · 1.5s
      10.0.0.1           web: pulling the image            1.0s
      10.0.0.2           waiting                           1.4s
      web-3.example.com  waiting                           1.4s
    "#);
    insta::assert_snapshot!(at(SIXTY, &until(3.5), 3.5), @r#"
    Pull app image...
      ✓ pull  2.9s
    deploy · 0123456 · boot · 3.5s
      10.0.0.1           web: booting                      0.5s
      10.0.0.2           web: writing a… [##--------]  25% 0.5s
      web-3.example.com  waiting                           0.5s
    "#);
    insta::assert_snapshot!(at(SIXTY, &until(9.1), 9.1), @r#"
    Pull app image...
      ✓ pull  2.9s
    First web container is healthy on 10.0.0.1, booting any other roles
      ✗ 10.0.0.2: docker exit status: 1
    deploy · 0123456 · boot · 9.1s
      10.0.0.1           waiting                           5.0s
      10.0.0.2           failed
      web-3.example.com  waiting                           6.1s
    "#);
}

#[test]
fn a_wide_terminal_says_of_how_much() {
    let wide = TerminalInfo {
        width: 100,
        height: 24,
    };
    let shown = at(wide, &until(3.5), 3.5);
    assert!(
        shown.contains("web: writing a.env [##--------]  25% of 6.0 MB "),
        "{shown}"
    );
}

#[test]
fn errors_come_last() {
    let options = Options {
        terminal: Some(SIXTY),
        ..Options::default()
    };
    let text = report(Format::Human, options, &deploy());
    insta::assert_snapshot!(screen(&text).join("\n"), @r#"
    Pull app image...
      ✓ pull  2.9s
    First web container is healthy on 10.0.0.1, booting any other roles
      ✗ 10.0.0.2: docker exit status: 1
      ✗ boot  6.2s
    Releasing the deploy lock...
      ✓ 10.0.0.1           0123456  3 steps  4.1s
      ✗ 10.0.0.2           failed  2 steps  6.0s
      ✓ web-3.example.com  0123456  1 step  3.3s
    deploy failed in 12.3s

    error on 10.0.0.2: docker exit status: 1 (SSHKit::Command::Failed)
      command: docker exec kamal-proxy kamal-proxy deploy app-web --target="10.0.0.2:80" -t [REDACTED]
      exit status: 1
      output: Error: target failed to become healthy
      last probe: GET /up: 500
      container log:
        booting
        no database at [REDACTED]
      what to do: look at the container's log
    "#);
}

#[test]
fn without_a_terminal_there_are_lines_only() {
    let text = report(Format::Human, Options::default(), &deploy());
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(
        text.starts_with("Pull app image...\n  ✓ pull  2.9s\n"),
        "{text}"
    );
}

#[test]
fn quiet_is_quiet() {
    let options = Options {
        terminal: Some(SIXTY),
        verbosity: Verbosity::Quiet,
        ..Options::default()
    };
    let text = report(Format::Human, options, &deploy());
    assert!(
        text.starts_with("\nerror on 10.0.0.2: docker exit status: 1"),
        "{text}"
    );
}

#[test]
fn verbose_shows_every_command() {
    let options = Options {
        verbosity: Verbosity::Verbose,
        ..Options::default()
    };
    let text = report(Format::Human, options, &deploy());
    assert!(
        text.contains(
            "[10.0.0.1] $ docker pull app\n[10.0.0.1]   Pulled\n[10.0.0.1]   (exit 0, 2.0s)\n"
        ),
        "{text}"
    );
}

#[test]
fn many_hosts_are_counted() {
    let names: Vec<String> = (0..40).map(|n| format!("host-{n:02}")).collect();
    let mut events = vec![
        event(
            0.0,
            EventKind::CommandStarted {
                command: "deploy".to_owned(),
                version: None,
                hosts: names.clone(),
            },
        ),
        event(
            0.0,
            EventKind::StageStarted {
                stage: "pull".to_owned(),
                hosts: names.clone(),
            },
        ),
    ];
    events.extend((0..20).map(|n| {
        let begin = f64::from(20 - n) / 10.0;
        started(
            begin,
            &format!("{n:08}"),
            Some(&format!("host-{n:02}")),
            "pulling the image",
            "docker pull",
        )
    }));
    for host in ["host-30", "host-31"] {
        let (host, failure) = (host.to_owned(), unhealthy("h"));
        events.push(event(2.0, EventKind::HostFailed { host, failure }));
    }
    insta::assert_snapshot!(at(SIXTY, &events, 5.0), @r#"
      ✗ host-30: docker exit status: 1
      ✗ host-31: docker exit status: 1
    deploy · pull · 5.0s
      40 hosts: 2 failed, 20 at work, 18 waiting
      host-30  failed
      host-31  failed
      host-19  web: pulling the image                      4.9s
      host-18  web: pulling the image                      4.8s
      host-17  web: pulling the image                      4.7s
      host-16  web: pulling the image                      4.6s
    "#);
    let low = TerminalInfo {
        width: 40,
        height: 6,
    };
    let shown = at(low, &events, 5.0);
    assert!(
        shown
            .lines()
            .skip_while(|line| !line.starts_with("deploy"))
            .count()
            <= 5,
        "{shown}"
    );

    events.extend(names.iter().enumerate().map(|(n, host)| {
        let (host, seconds) = (host.clone(), n as f64 / 10.0);
        event(
            6.0,
            EventKind::HostFinished {
                host,
                seconds,
                steps: 9,
            },
        )
    }));
    events.push(event(
        6.0,
        EventKind::CommandFinished {
            ok: false,
            seconds: 6.0,
            exit: 1,
        },
    ));
    let end = at(SIXTY, &events, 6.0);
    assert!(
        end.contains("  ✓ 38 hosts  0.0s to 3.9s (host-39)\n  ✗ host-30"),
        "{end}"
    );
    assert!(
        end.contains("\nerror on host-30, host-31: docker exit status: 1"),
        "{end}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let long = "ein sehr langer Titel 日本語日本語日本語日本語日本語日本語日本語日本語日本語";
    let mut events = until(3.5);
    events.push(started(
        3.5,
        "0000000f",
        Some("web-3.example.com"),
        long,
        "x",
    ));
    events.push(started(3.5, "00000010", None, long, "x"));
    for width in [2, 5, 20, 33, 60] {
        let terminal = TerminalInfo { width, height: 24 };
        let mut human = super::Human::new(&Options {
            terminal: Some(terminal),
            ..Options::default()
        });
        for event in &events {
            human.event(event);
        }
        // What scrolls is wrapped by the terminal; only the view counts lines.
        human.pause();
        let view = screen(&human.tick(Duration::from_secs(4)));
        assert!(view.len() > 4, "{view:?}");
        for line in view {
            assert!(super::live::columns(&line) < width, "{width}: {line}");
        }
    }
}

#[test]
fn a_thousand_hosts_are_drawn_quickly() {
    let hosts: Vec<String> = (0..1000).map(|n| format!("host-{n:04}")).collect();
    let command = "deploy".to_owned();
    let mut human = super::Human::new(&Options {
        terminal: Some(SIXTY),
        ..Options::default()
    });
    let version = None;
    human.event(&event(
        0.0,
        EventKind::CommandStarted {
            command,
            version,
            hosts: hosts.clone(),
        },
    ));
    let began = std::time::Instant::now();
    for (n, host) in hosts.iter().enumerate() {
        human.event(&started(
            0.0,
            &format!("{n:08x}"),
            Some(host),
            "pulling",
            "docker pull",
        ));
    }
    for tenth in 1..=50u32 {
        human.tick(Duration::from_millis(u64::from(tenth) * 100));
    }
    // Generous for a debug build on a busy machine; looking for each host among all steps takes minutes.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}
