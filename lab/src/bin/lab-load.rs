//! Sends a steady load to the lab app and tells what became of every request.
//!
//! Runs for `--seconds`, or until SIGINT, SIGTERM or the stop file appears. Prints one JSON object on stdout
//! (see `Report`). Exit code 0 if every request was answered rightly, 1 if one
//! failed or none was sent, 2 for wrong usage.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dhow_lab::load::{Plan, Summary, Target, drive};
use tokio::signal::unix::{SignalKind, signal};

/// Send a steady load to the lab app and tell what became of every request.
#[derive(Parser)]
#[command(name = "lab-load")]
struct Arguments {
    /// Where to: http://ADDRESS[:PORT]. Each target gets the whole rate.
    #[arg(required = true)]
    targets: Vec<Target>,
    /// Requests a second to each target.
    #[arg(long, default_value_t = 300)]
    rate: u32,
    /// How long to go on; without it until a signal or the stop file.
    #[arg(long)]
    seconds: Option<f64>,
    /// Stop when this file appears.
    #[arg(long)]
    stop_file: Option<PathBuf>,
    /// Create this file when the first request has been answered rightly, for a script to wait for.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// The Host header, for a proxy that routes by it.
    #[arg(long)]
    host: Option<String>,
    /// Seconds that a request may take.
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,
    /// Also write the summary to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Tell the counts on stderr every second.
    #[arg(long)]
    progress: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab-load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let timeout = Duration::try_from_secs_f64(arguments.timeout)?;
    let seconds = arguments
        .seconds
        .map(Duration::try_from_secs_f64)
        .transpose()?;
    let targets = arguments.targets.iter().cloned();
    let plan = Plan {
        targets: targets
            .map(|target| target.with_host(arguments.host.as_deref()))
            .collect(),
        rate: arguments.rate,
        timeout,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = elapse(seconds) => {}
            () = appear(arguments.stop_file.clone()) => {}
        }
    };
    let mut ready_file = arguments.ready_file.clone();
    let progress = |all: &Summary| {
        if all.succeeded > 0
            && let Some(file) = ready_file.take()
        {
            let _ = std::fs::write(file, "");
        }
        if arguments.progress {
            let _ = writeln!(std::io::stderr(), "sent {} failed {}", all.sent, all.failed);
        }
    };
    let report = drive(&plan, stop, progress).await;
    let summary = format!("{}\n", serde_json::to_string(&report)?);
    if let Some(file) = &arguments.json {
        std::fs::write(file, &summary)?;
    }
    std::io::stdout().write_all(summary.as_bytes())?;
    Ok(report.all.sent > 0 && report.all.failed == 0)
}

async fn elapse(seconds: Option<Duration>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(seconds).await,
        None => std::future::pending().await,
    }
}

async fn appear(file: Option<PathBuf>) {
    let Some(file) = file else {
        return std::future::pending().await;
    };
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
