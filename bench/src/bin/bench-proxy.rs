//! `bin/bench proxy`: dhow's proxy next to nginx, HAProxy, Caddy and any other, in turn in one run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use dhow_bench::proxy::{Kind, Peer, Plan, Verdict};
use dhow_bench::proxy::{budgets, chart, run, scenarios, table, verdicts};
use dhow_bench::{Failed, Measured};

/// The proxy next to nginx, HAProxy and Caddy from Debian: processor time per request, requests a second, latency at a fixed rate, memory.
/// Proxies run one after the other on one core, load and origin on another. Exits with 1 if a budget is missed.
#[derive(Parser)]
#[command(name = "bin/bench proxy")]
struct Arguments {
    /// Measurements of each kind.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each takes.
    #[arg(long, default_value_t = 0.8)]
    seconds: f64,
    /// Seconds for which latencies are taken at each rate; 0 leaves them out.
    #[arg(long, default_value_t = 2.0)]
    steady: f64,
    /// Requests a second for the latencies; without it 70 % of what the slowest proxy can do.
    #[arg(long)]
    rate: Option<f64>,
    /// Clients at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Idle connections that are held to see how much memory they take; 0 leaves memory out.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Only loads with this in their name; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Leave out Debian's proxies.
    #[arg(long)]
    alone: bool,
    /// Another proxy, started by a shell command: it serves the hosts plain.test and buffered.test at 127.0.0.1:$HTTP_PORT and tls.test, with
    /// $CERT and $KEY, at 127.0.0.1:$HTTPS_PORT, all from $ORIGIN, and goes on until it is killed.
    #[arg(long, value_name = "NAME=COMMAND")]
    also: Vec<Peer>,
    /// Another program that takes kamal-proxy's commands: kamal-proxy itself, or another build of dhow.
    #[arg(long, value_name = "NAME=PROGRAM")]
    also_like_kamal_proxy: Vec<Peer>,
    /// The program to measure.
    #[arg(long, default_value = "target/release/dhow")]
    dhow: PathBuf,
    /// The proxies' core, and that of the load and the origin.
    #[arg(long, value_delimiter = ',', default_value = "0,1")]
    cores: Vec<usize>,
    /// Writes the tables here, too.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Writes the chart here.
    #[arg(long)]
    chart: Option<PathBuf>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match measure(Arguments::parse(), &words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: Arguments, words: &[String]) -> Result<bool, Failed> {
    let [core, own_core] = arguments.cores[..] else {
        return Err(Failed::Wrong(
            "two cores are needed, as in `--cores 0,1`".to_owned(),
        ));
    };
    pin(own_core)?;
    let before = machine()?;
    let folder = tempfile::tempdir()?;
    let (output, picture) = (arguments.output.clone(), arguments.chart.clone());
    let plan = plan(arguments, core, folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    let results = runtime.block_on(run(&plan, say))?;
    let verdicts = verdicts(&results);
    let mut text = page(&plan, words, &before)?;
    text += &budgets(&verdicts);
    if let Some(picture) = &picture {
        let name = picture.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(text, "\n![What a proxy costs]({name})\n");
        write(picture, &chart(&results))?;
    }
    text += &table(&results);
    let _ = std::io::stdout().write_all(text.as_bytes());
    if let Some(output) = &output {
        write(output, &text)?;
    }
    Ok(verdicts.iter().all(Verdict::met))
}

/// Everything that this process does happens on one core; what it starts says where it runs.
fn pin(core: usize) -> Result<(), Failed> {
    let mut command = Command::new("taskset");
    let this = std::process::id().to_string();
    command.args([
        "--all-tasks",
        "--cpu-list",
        "--pid",
        &core.to_string(),
        &this,
    ]);
    Measured::output(command).map(|_| ())
}

fn plan(arguments: Arguments, core: usize, folder: &Path) -> Result<Plan, Failed> {
    let whole = |path: &Path| std::path::absolute(path).map_err(Failed::from);
    let program = whole(&arguments.dhow)?;
    let mut peers = vec![Peer {
        name: "dhow".to_owned(),
        kind: Kind::KamalProxy(program),
    }];
    if !arguments.alone {
        let debian = [
            ("nginx", Kind::Nginx),
            ("HAProxy", Kind::Haproxy),
            ("Caddy", Kind::Caddy),
        ];
        peers.extend(debian.map(|(name, kind)| Peer {
            name: name.to_owned(),
            kind,
        }));
    }
    for mut peer in arguments.also_like_kamal_proxy {
        if let Kind::Command(program) = &peer.kind {
            peer.kind = Kind::KamalProxy(whole(Path::new(program))?);
        }
        peers.push(peer);
    }
    peers.extend(arguments.also);
    let wanted = |title: &str| {
        arguments.only.is_empty()
            || arguments
                .only
                .iter()
                .any(|only| title.contains(only.as_str()))
    };
    let seconds = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| Failed::Wrong(format!("`{seconds}`: {error}")))
    };
    Ok(Plan {
        peers,
        scenarios: scenarios()
            .into_iter()
            .filter(|scenario| wanted(scenario.title))
            .collect(),
        rounds: arguments.rounds,
        measured: seconds(arguments.seconds)?,
        connections: arguments.connections.max(1),
        idle: arguments.idle,
        rate: arguments.rate,
        steady: seconds(arguments.steady)?,
        core,
        folder: folder.to_owned(),
    })
}

fn page(plan: &Plan, words: &[String], before: &str) -> Result<String, Failed> {
    let after = shell("cut -d ' ' -f 1-3 /proc/loadavg")?;
    let commit = shell("git rev-parse --short HEAD")?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    Ok(format!(
        "# Proxies, measured\n\n{date}, commit {}, by `bin/bench proxy {}`.\n{before}, after it {}.\n\n\
         Every proxy is pinned to core {} with one worker, writes its access log to a file, and keeps its connections to the origin; their\n\
         configurations are in `bench/peers`. The load and the origin are one process on another core. {} clients at once (16 for 1 MB) send one\n\
         request after the other; {} rounds of {:.1} s for each kind of load, the proxies in turn within a round. `buffered` is how Kamal deploys by\n\
         default: requests and responses are held until they are complete (HAProxy holds one buffer of 16 KB at most, nginx passes a response on as it\n\
         comes but takes it off the origin's hands).\n",
        commit.trim(),
        words.join(" "),
        after.trim(),
        plan.core,
        plan.connections,
        plan.rounds,
        plan.measured.as_secs_f64(),
    ))
}

fn machine() -> Result<String, Failed> {
    shell(
        "printf '%s cores, ' \"$(nproc --all)\"; sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | tr -d '\\n'; \
         printf ', kernel %s' \"$(uname -r)\"; \
         for one in nginx haproxy caddy; do printf ', %s' \"$(dpkg-query -W -f '${Package} ${Version}' $one 2>/dev/null || echo \"no $one\")\"; done; \
         printf '; load before the run %s' \"$(cut -d ' ' -f 1-3 /proc/loadavg)\"",
    )
}

fn shell(script: &str) -> Result<String, Failed> {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Measured::output(command)
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    std::fs::write(path, text).map_err(|source| Failed::File {
        path: path.to_owned(),
        source,
    })
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
