//! The web app that tests and the demo deploy.
//!
//! usage: `lab-app [MODE]`. The mode (see `Behavior`) comes from the argument, else from `$LAB_MODE`, else from the file
//! `/lab-mode` of the image, else it is `healthy`. `$PORT` (default 80) is where it listens, `$APP_VERSION` (else
//! `$KAMAL_VERSION`) what it says it is, `$LAB_BOOT_MS` how long it waits before it listens.
//!
//! usage: `lab-app say WORDS…` prints the words, `lab-app env NAME` the digest of a variable, `lab-app exit CODE` ends with
//! that code: one-off commands to run in a container whose image has no shell.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use dhow_lab::app::{App, Behavior, Identity, serve};
use dhow_lab::digest::sha256_hex;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where an image may hold its mode, so that a commit can make a version that misbehaves.
const MODE_FILE: &str = "/lab-mode";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            say(&format!("lab-app: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let environment: HashMap<String, String> = std::env::vars().collect();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = one_off(&words, &environment)? {
        return Ok(code);
    }
    let get = |name: &str| {
        environment
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    };
    let mode = words
        .first()
        .cloned()
        .or_else(|| get("LAB_MODE"))
        .or_else(|| std::fs::read_to_string(MODE_FILE).ok());
    let behavior: Behavior = mode.unwrap_or_default().parse()?;
    let identity = Identity {
        version: get("APP_VERSION")
            .or_else(|| get("KAMAL_VERSION"))
            .unwrap_or_else(|| "unknown".to_owned()),
        container: get("KAMAL_CONTAINER_NAME").unwrap_or_default(),
        host: get("HOSTNAME").unwrap_or_default(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    say(&format!(
        "version {} starts, {behavior:?}",
        identity.version
    ));
    match behavior {
        Behavior::Exits => {
            say("cannot start: DATABASE_URL is not set");
            return Ok(ExitCode::from(3));
        }
        Behavior::Deaf => stop.await,
        Behavior::Worker => tokio::select! {
            () = stop => {}
            () = tick() => {}
        },
        _ => {
            let port = get("PORT").map_or(Ok(80), |port| port.parse::<u16>())?;
            let boot = get("LAB_BOOT_MS").map_or(Ok(0), |ms| ms.parse())?;
            tokio::time::sleep(Duration::from_millis(boot)).await;
            let listener = TcpListener::bind(("0.0.0.0", port)).await?;
            say(&format!("listening on port {port}"));
            serve(
                App {
                    identity,
                    behavior,
                    environment,
                },
                listener,
                stop,
            )
            .await;
        }
    }
    say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Runs a one-off command, if that is what was asked for.
fn one_off(
    words: &[String],
    environment: &HashMap<String, String>,
) -> Result<Option<ExitCode>, Box<dyn std::error::Error>> {
    let mut stdout = std::io::stdout();
    match words {
        [verb, words @ ..] if verb == "say" => writeln!(stdout, "{}", words.join(" "))?,
        [verb, name] if verb == "env" => match environment.get(name) {
            Some(value) => writeln!(stdout, "{}", sha256_hex(value.as_bytes()))?,
            None => return Ok(Some(ExitCode::FAILURE)),
        },
        [verb, code] if verb == "exit" => return Ok(Some(ExitCode::from(code.parse::<u8>()?))),
        _ => return Ok(None),
    }
    Ok(Some(ExitCode::SUCCESS))
}

async fn tick() {
    let mut count = 0_u64;
    loop {
        say(&format!("tick {count}"));
        count += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[expect(clippy::print_stderr, reason = "the app's log is its stderr")]
fn say(line: &str) {
    eprintln!("{line}");
}
