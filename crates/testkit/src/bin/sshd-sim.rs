//! Many simulated hosts in one process, for benchmarks.
//!
//! `sshd-sim HOSTS PORT ROUND_TRIP_MS [DIR]` listens at 127.1.0.1, 127.1.0.2, … on PORT. With DIR commands run in `sh` there, else every command
//! reads its input and succeeds without output. Prints `ready HOSTS FIRST_ADDRESS`, then counters for each line on standard input; ends with it.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dhow_testkit::sshd::{Answer, Config, Sshd};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let hosts: u32 = number(args.next(), "HOSTS")?;
    let port: u16 = number(args.next(), "PORT")?;
    let round_trip: u64 = number(args.next(), "ROUND_TRIP_MS")?;
    let answer = match args.next() {
        Some(dir) => Answer::Shell {
            dir: PathBuf::from(dir),
            env: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
        },
        None => Answer::scripted(|mut call| async move {
            call.input_to_end().await;
            0
        }),
    };
    let mut config = Config::new(answer);
    config.round_trip = Duration::from_millis(round_trip);

    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    let addresses: Vec<SocketAddr> = (0..hosts)
        .map(|index| SocketAddr::from((Ipv4Addr::from(first.saturating_add(index)), port)))
        .collect();
    let sshd = Sshd::listen(&addresses, config).await?;
    say(&format!("ready {hosts} {}", sshd.address()))?;

    let counters = sshd.counters();
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        say(&format!(
            "connections {} logins {} channels {} execs {}",
            count(&counters.connections),
            count(&counters.logins),
            count(&counters.channels),
            count(&counters.execs)
        ))?;
    }
    Ok(())
}

fn number<T: std::str::FromStr>(text: Option<String>, name: &str) -> io::Result<T> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        io::Error::other(format!(
            "{name} is missing or no number; usage: sshd-sim HOSTS PORT ROUND_TRIP_MS [DIR]"
        ))
    })
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
