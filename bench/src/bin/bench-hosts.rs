//! Many simulated hosts in one process.
//!
//! usage: `bench-hosts HOSTS PORT ROUND_TRIP_MS`. Listens at 127.1.0.1, 127.1.0.2, … on PORT, prints the host key all of them share as
//! `ready KEY`, then counters for each line on standard input; ends with it.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use dhow_bench::simulated;
use dhow_testkit::sshd::{Answer, Config, Sshd};
use tokio::io::{AsyncBufReadExt as _, BufReader};

// One thread: the machine's other core is for the deployer.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .map_while(|word| word.parse().ok())
        .collect();
    let [hosts, port, round_trip] = numbers[..] else {
        return Err(io::Error::other(
            "usage: bench-hosts HOSTS PORT ROUND_TRIP_MS",
        ));
    };
    let port = u16::try_from(port).map_err(io::Error::other)?;
    let mut config = Config::new(Answer::scripted(simulated::shell));
    config.round_trip = Duration::from_millis(round_trip.into());
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    let addresses: Vec<SocketAddr> = (0..hosts)
        .map(|index| SocketAddr::from((Ipv4Addr::from(first + index), port)))
        .collect();
    let sshd = Sshd::listen(&addresses, config).await?;
    say(&format!("ready {}", sshd.host_key()))?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        let counters = sshd.counters();
        say(&format!(
            "connections {} channels {} execs {} starting {}",
            counters.connections.load(Ordering::SeqCst),
            counters.channels.load(Ordering::SeqCst),
            counters.execs.load(Ordering::SeqCst),
            counters.most_starting.load(Ordering::SeqCst),
        ))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
