//! The programs, run by the machine's own `sh`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::lock;
use crate::sample::app;

const DETAILS: &str = "Locked by: me at 2026-01-02T03:04:05Z\nVersion: 1\nMessage: x";

/// A running [`hold`].
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(home: &Path, token: &str, seconds: u32) -> Self {
        let lease = Lease {
            owner: "it's me\nowner=not me",
            host: "laptop",
            pid: 4711,
            token,
            seconds,
        };
        let mut child = Command::new("sh")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let program = hold(&app(), DETAILS, &lease).real();
        writeln!(input, "{program}").expect("sh reads");
        Self {
            child,
            input: Some(input),
            output,
        }
    }

    fn held(home: &Path, token: &str, seconds: u32) -> Self {
        let mut holder = Self::start(home, token, seconds);
        assert_eq!(holder.reply(), Some(Reply::Held));
        holder
    }

    fn reply(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        Reply::parse(&line)
    }

    fn send(&mut self, line: &str) {
        let input = self.input.as_mut().expect("still open");
        input.write_all(line.as_bytes()).expect("sh reads");
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("sh ends").code()
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        rest
    }
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn lock_directory(home: &tempfile::TempDir) -> std::path::PathBuf {
    home.path().join(".kamal/lock-app")
}

/// Runs a command as Kamal would, with its exit code and output.
fn sh(home: &Path, cmd: &Cmd) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", &cmd.real()])
        .current_dir(home)
        .output()
        .expect("sh runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// A lock as dhow takes it, whose lease ends at `expires`.
fn plant(home: &tempfile::TempDir, token: &str, expires: &str) {
    let lock = lock_directory(home);
    std::fs::create_dir_all(&lock).expect("a directory");
    let lease = format!("owner=x\ntoken={token}\nexpires={expires}\n");
    for (name, content) in [
        ("details", "eA==\n"),
        ("lease", lease.as_str()),
        (&format!("owner-{token}"), ""),
    ] {
        std::fs::write(lock.join(name), content).expect("a file");
    }
}

fn wait_until_gone(path: &Path) {
    let started = Instant::now();
    while path.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "still there: {}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn entries(home: &tempfile::TempDir) -> Vec<String> {
    std::fs::read_dir(home.path().join(".kamal"))
        .expect("the run directory")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect()
}

#[test]
fn held_renewed_and_released() {
    let home = home();
    let mut holder = Holder::held(home.path(), "abc1", 30);

    let (code, message) = sh(home.path(), &lock::acquire(&app(), DETAILS));
    assert_ne!(code, Some(0), "Kamal must find the lock taken");
    assert!(message.contains("lock-app"), "{message}");
    assert_eq!(
        sh(home.path(), &status(&app())),
        (Some(0), DETAILS.to_owned())
    );
    let lease = || std::fs::read_to_string(lock_directory(&home).join("lease")).expect("a lease");
    let first = lease();
    assert!(
        first
            .starts_with("owner=it's me owner=not me\nhost=laptop\npid=4711\ntoken=abc1\nexpires="),
        "{first}"
    );

    std::thread::sleep(Duration::from_millis(1100));
    holder.send(RENEW);
    let started = Instant::now();
    while lease() == first {
        assert!(started.elapsed() < Duration::from_secs(10), "not renewed");
        std::thread::sleep(Duration::from_millis(20));
    }

    holder.send(RELEASE);
    assert_eq!(holder.reply(), Some(Reply::Released));
    assert_eq!(holder.exit_code(), Some(0));
    assert_eq!(entries(&home), Vec::<String>::new());
}

#[test]
fn the_end_of_the_connection_frees_the_lock() {
    let home = home();
    let mut holder = Holder::held(home.path(), "abc1", 30);
    holder.input = None;
    assert_eq!(holder.exit_code(), Some(0));
    assert_eq!(entries(&home), Vec::<String>::new());
}

#[test]
fn a_killed_holder_frees_the_lock_before_its_lease_ends() {
    let home = home();
    let mut holder = Holder::held(home.path(), "abc1", 3600);
    holder.child.kill().expect("it runs");
    holder.exit_code();
    wait_until_gone(&lock_directory(&home));
}

#[test]
fn a_silent_connection_loses_the_lock_when_the_lease_ends() {
    let home = home();
    let mut holder = Holder::held(home.path(), "abc1", 1);
    wait_until_gone(&lock_directory(&home));
    assert_eq!(holder.reply(), None, "it must not say that it still holds");
    assert_ne!(holder.exit_code(), Some(0));
}

#[test]
fn a_lock_removed_by_hand_is_noticed() {
    let home = home();
    let mut holder = Holder::held(home.path(), "abc1", 30);
    let (code, message) = sh(home.path(), &lock::release(&app()));
    assert_eq!((code, message.as_str()), (Some(0), ""));
    holder.send(RENEW);
    assert_eq!(holder.reply(), Some(Reply::Lost));
    assert_eq!(holder.exit_code(), Some(4));
    assert_eq!(entries(&home), Vec::<String>::new());
}

#[test]
fn a_lock_taken_by_hand_is_respected() {
    let home = home();
    std::fs::create_dir(home.path().join(".kamal")).expect("a directory");
    let (code, _) = sh(home.path(), &lock::acquire(&app(), DETAILS));
    assert_eq!(code, Some(0));
    let mut second = Holder::start(home.path(), "abc2", 30);
    assert_eq!(second.reply(), Some(Reply::Busy { seconds: None }));
    assert_eq!(second.rest(), DETAILS);
    assert_eq!(second.exit_code(), Some(3));
    assert_eq!(
        sh(home.path(), &end_expired(&app())),
        (Some(0), String::new())
    );
    assert!(lock_directory(&home).exists());
}

#[test]
fn a_living_lease_is_respected() {
    let home = home();
    let mut first = Holder::held(home.path(), "abc1", 30);
    let mut second = Holder::start(home.path(), "abc2", 30);
    let Some(Reply::Busy {
        seconds: Some(seconds),
    }) = second.reply()
    else {
        panic!("not busy");
    };
    assert!((20..=30).contains(&seconds), "{seconds}");
    assert_eq!(second.rest(), DETAILS);
    first.send(RELEASE);
    assert_eq!(first.reply(), Some(Reply::Released));
}

#[test]
fn an_expired_lease_is_taken_over() {
    let home = home();
    plant(&home, "dead", "1000");
    let mut holder = Holder::held(home.path(), "abc1", 30);
    holder.send(RELEASE);
    assert_eq!(holder.reply(), Some(Reply::Released));
    assert_eq!(entries(&home), Vec::<String>::new());
}

#[test]
fn an_end_that_was_begun_and_not_finished_is_finished() {
    let home = home();
    plant(&home, "dead", "1000");
    let lock = lock_directory(&home);
    std::fs::rename(lock.join("owner-dead"), lock.join("gone-dead.2000")).expect("a file");
    assert_eq!(
        sh(home.path(), &end_expired(&app())),
        (Some(0), String::new())
    );
    assert_eq!(entries(&home), Vec::<String>::new());
}

#[test]
fn an_end_that_somebody_else_has_just_begun_is_left_to_them() {
    let home = home();
    plant(&home, "dead", "1000");
    let lock = lock_directory(&home);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let gone = lock.join(format!("gone-dead.{now}"));
    std::fs::rename(lock.join("owner-dead"), &gone).expect("a file");
    assert_eq!(
        sh(home.path(), &end_expired(&app())),
        (Some(0), String::new())
    );
    assert!(gone.exists());
}

#[test]
fn a_damaged_lease_breaks_nothing() {
    for (token, expires) in [("../../x", "1000"), ("dead", "soon"), ("dead", "")] {
        let home = home();
        let lock = lock_directory(&home);
        std::fs::create_dir_all(&lock).expect("a directory");
        let lease = format!("token={token}\nexpires={expires}\n");
        std::fs::write(lock.join("lease"), lease).expect("a file");
        std::fs::write(lock.join("details"), "eA==\n").expect("a file");
        let mut holder = Holder::start(home.path(), "abc1", 30);
        assert_eq!(holder.reply(), Some(Reply::Busy { seconds: None }));
        assert!(lock.exists());
    }
}

#[test]
fn of_many_that_find_an_expired_lease_one_gets_the_lock() {
    for round in 0..5 {
        let home = home();
        plant(&home, "dead", "1000");
        let mut holders: Vec<Holder> = (0..12)
            .map(|n| Holder::start(home.path(), &format!("r{round}n{n}"), 30))
            .collect();
        let replies: Vec<_> = holders.iter_mut().map(Holder::reply).collect();
        let held = replies.iter().filter(|r| **r == Some(Reply::Held)).count();
        assert_eq!(held, 1, "{replies:?}");
        for (holder, reply) in holders.iter_mut().zip(&replies) {
            if *reply == Some(Reply::Held) {
                holder.send(RELEASE);
                assert_eq!(holder.reply(), Some(Reply::Released));
            } else {
                let busy = matches!(reply, Some(Reply::Busy { seconds: Some(_) }));
                assert!(busy, "{replies:?}");
            }
        }
    }
}

#[test]
fn a_lock_that_cant_be_made_is_told_from_one_that_is_taken() {
    let home = home();
    let run = home.path().join(".kamal");
    std::fs::write(&run, "a file where the directory should be").expect("a file");
    let mut holder = Holder::start(home.path(), "abc1", 30);
    assert_eq!(holder.reply(), Some(Reply::Failed));
    assert!(holder.rest().contains("lock-app"));
    assert_eq!(holder.exit_code(), Some(1));
}
