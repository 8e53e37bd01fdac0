//! From the `ssh` and `sshkit` sections to connection settings.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dhow_config::{Config, SshConfigFiles};
use dhow_run::{Level, Sink};
use dhow_ssh::{Ask, Connector, Notice, Notify, Place, Question, Settings};
use dhow_text::redact::Secret;

use crate::edge::Edge;
use crate::output::Screen;

/// A connector for this deploy file on this machine. `keys` are the looked-up `ssh.key_data`.
pub(crate) fn connector(
    edge: &Edge,
    config: &Config,
    keys: &[Secret],
    sink: &Sink,
    screen: &Screen,
) -> Connector {
    let ssh = &config.ssh;
    let environment = edge.environment().clone();
    let place = Place {
        home: edge.home.clone(),
        cwd: edge.cwd.clone(),
        local_user: edge.user(),
        local_host: edge.host_name(),
        uid: rustix::process::getuid().as_raw(),
        agent_socket: edge
            .env("SSH_AUTH_SOCK")
            .filter(|s| !s.is_empty())
            .map(PathBuf::from),
        env: Arc::new(move |name| environment.get(name).cloned()),
    };
    let mut settings = Settings::new(place);
    settings.user.clone_from(&ssh.user);
    settings.port = ssh.port;
    settings.jump.clone_from(&ssh.proxy);
    settings.proxy_command.clone_from(&ssh.proxy_command);
    settings.keys = ssh
        .keys
        .iter()
        .flatten()
        .map(|key| edge.path(key))
        .collect();
    settings.keys_only = ssh.keys_only.unwrap_or(false);
    settings.key_data = keys
        .iter()
        .map(|key| dhow_ssh::Secret::new(key.reveal()))
        .collect();
    settings.config_files = match &ssh.config {
        SshConfigFiles::Default | SshConfigFiles::On => {
            Settings::default_config_files(&edge.home, &edge.cwd)
        }
        SshConfigFiles::Off => Vec::new(),
        SshConfigFiles::File(file) => vec![edge.path(file)],
        SshConfigFiles::Files(files) => files.iter().map(|file| edge.path(file)).collect(),
    };
    settings.forward_agent = ssh.forward_agent;
    settings.max_concurrent_starts = usize::try_from(config.sshkit.max_concurrent_starts)
        .unwrap_or(30)
        .max(1);
    settings.dns_retries = u32::try_from(config.sshkit.dns_retries).unwrap_or(0);
    settings.keepalive_interval = Duration::from_secs(15);
    settings.notify = Some(notify(sink.clone()));
    if edge.stdin_is_terminal && std::io::stderr().is_terminal() {
        let screen = screen.clone();
        settings.ask = Some(Ask::new(move |question| {
            screen.take_blocking();
            let answer = ask(question);
            screen.give_back();
            answer
        }));
    }
    Connector::new(settings)
}

fn notify(sink: Sink) -> Notify {
    Notify::new(move |notice| match notice {
        Notice::DnsRetry {
            host,
            attempt,
            of,
            delay,
            error,
        } => sink.say(
            Level::Warn,
            format!(
                "Retrying DNS for {host} (attempt {attempt}/{of}) in {:.2}s: {error}",
                delay.as_secs_f64()
            ),
        ),
        Notice::ConnectRetry {
            host, error, delay, ..
        } => sink.say(
            Level::Debug,
            format!(
                "Connecting to {host} again in {:.2}s: {error}",
                delay.as_secs_f64()
            ),
        ),
        Notice::HostKeyAdded {
            host,
            fingerprint,
            file,
        } => sink.say(
            Level::Debug,
            format!(
                "New host key of {host} ({fingerprint}) written to {}",
                file.display()
            ),
        ),
        Notice::HostKeyNotSaved { host, error } => sink.say(
            Level::Warn,
            format!("The new host key of {host} could not be saved: {error}"),
        ),
    })
}

/// Asks on the terminal itself, so that neither a pipe nor the log gets in between.
fn ask(question: &Question) -> Option<dhow_ssh::Secret> {
    let (prompt, echo) = match question {
        Question::Passphrase { key, .. } => (format!("Passphrase for {key}: "), false),
        Question::Password { account, .. } => (format!("Password for {account}: "), false),
        Question::Challenge { prompt, echo, .. } => (prompt.clone(), *echo),
    };
    let mut terminal = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    terminal.write_all(prompt.as_bytes()).ok()?;
    let before = rustix::termios::tcgetattr(&terminal).ok()?;
    if !echo {
        let mut silent = before.clone();
        silent.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &silent)
            .ok()?;
    }
    let mut line = String::new();
    let read = std::io::BufReader::new(terminal.try_clone().ok()?).read_line(&mut line);
    rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &before).ok()?;
    let _ = terminal.write_all(b"\n");
    read.ok().filter(|n| *n > 0)?;
    Some(dhow_ssh::Secret::new(line.trim_end_matches(['\n', '\r'])))
}
