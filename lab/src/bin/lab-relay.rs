//! Makes the fleet far away: 10.78.0.X is 10.77.0.X with a delay each way, until SIGINT or SIGTERM. Needs root.
//!
//! Prints `ready` on stdout once packets are relayed.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dhow_lab::relay::{Addresses, Wiring, relay};
use tokio::signal::unix::{SignalKind, signal};

/// Make the fleet far away: 10.78.0.X is 10.77.0.X with a delay each way.
#[derive(Parser)]
#[command(name = "lab-relay")]
struct Arguments {
    /// Milliseconds each way: half of the round trip.
    #[arg(long, default_value_t = 25.0)]
    delay_ms: f64,
    /// The name of the network device.
    #[arg(long, default_value = "dhowrelay0")]
    device: String,
}

const ADDRESSES: Addresses = Addresses {
    near: [10, 78, 0],
    real: [10, 77, 0],
    back: [10, 79, 0],
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let delay = Duration::try_from_secs_f64(arguments.delay_ms / 1000.0)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (wiring, device) = Wiring::set_up(&arguments.device, ADDRESSES).await?;
    writeln!(std::io::stdout(), "ready")?;
    let ended = tokio::select! {
        ended = relay(&device, ADDRESSES, delay) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    wiring.remove().await;
    Ok(ended?)
}
