//! `bin/bench deploy`: deploys by dhow next to the least that a deploy can take, and to very many simulated hosts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use dhow_bench::{App, Case, Compared, Dhow, Failed, Fleet, Measured, Thousand};
use dhow_bench::{compare, report, thousand, versions};

/// Deploys by dhow next to the least that a deploy can take, turn by turn on the same hosts; then to very many simulated hosts.
/// Exits with 1 if a budget is missed.
#[derive(Parser)]
#[command(name = "bin/bench deploy")]
struct Arguments {
    /// Deploys of each kind for every row.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Numbers of hosts, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,3")]
    hosts: Vec<usize>,
    /// Round-trip times in milliseconds; 0 is the fleet as it is.
    #[arg(long, value_delimiter = ',', default_value = "0,50")]
    rtt: Vec<f64>,
    /// How many simulated hosts; 0 leaves that part out.
    #[arg(long, default_value_t = 1000)]
    simulated: u32,
    /// `sshkit.max_concurrent_starts` for the simulated hosts.
    #[arg(long, default_value_t = 200)]
    starts: u32,
    /// Adds where the time of dhow's deploys goes, step by step.
    #[arg(long)]
    profile: bool,
    /// The program to measure.
    #[arg(long, default_value = "target/release/dhow")]
    dhow: PathBuf,
    /// What goes into the proxy's image, if that program is not static.
    #[arg(long)]
    proxy_binary: Option<PathBuf>,
    /// Writes the report here, too.
    #[arg(long)]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&Arguments::parse(), &words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments, words: &[String]) -> Result<bool, Failed> {
    let root = std::env::current_dir().map_err(|source| Failed::File {
        path: PathBuf::from("."),
        source,
    })?;
    let absolute = |path: &Path| root.join(path);
    let dhow = Dhow {
        program: absolute(&arguments.dhow),
        proxy_binary: arguments.proxy_binary.as_deref().map(absolute),
    };
    // Also for the simulated hosts: whoever uses the fleet meanwhile would be measured too.
    let fleet = Fleet::take(&root)?;
    let compared = on_fleet(&fleet, &dhow, arguments)?;
    let mut simulated = Vec::new();
    if arguments.simulated > 0 {
        say(&format!("{} simulated hosts", arguments.simulated));
        simulated = thousand(&root, &dhow, arguments.simulated, 50, arguments.starts)?;
    }
    let text = page(&root, arguments, words, &compared, &simulated)?;
    let _ = std::io::stdout().write_all(text.as_bytes());
    if let Some(output) = &arguments.output {
        std::fs::write(output, &text).map_err(|source| Failed::File {
            path: output.clone(),
            source,
        })?;
    }
    Ok(report::all_met(&compared, &simulated))
}

fn on_fleet(fleet: &Fleet, dhow: &Dhow, arguments: &Arguments) -> Result<Vec<Compared>, Failed> {
    if arguments.hosts.is_empty() || arguments.rtt.is_empty() || arguments.rounds == 0 {
        return Ok(Vec::new());
    }
    let app = App::make(fleet)?;
    say("building and pushing the versions");
    app.push(&versions(arguments.rounds))?;
    let mut all = Vec::new();
    for &round_trip_ms in &arguments.rtt {
        for &hosts in &arguments.hosts {
            say(&format!("{hosts} hosts, RTT {round_trip_ms} ms"));
            let case = Case {
                hosts,
                round_trip_ms,
                rounds: arguments.rounds,
                profile: arguments.profile,
            };
            let one = compare(fleet, &app, dhow, case)?;
            say(&format!("  dhow {}, floor {}", one.dhow, one.floor));
            all.push(one);
        }
    }
    Ok(all)
}

fn page(
    root: &Path,
    arguments: &Arguments,
    words: &[String],
    compared: &[Compared],
    simulated: &[Thousand],
) -> Result<String, Failed> {
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.current_dir(root).args(["-c", script]);
        Measured::output(command)
    };
    let machine = shell(
        "printf '%s cores, ' \"$(nproc)\"; sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | tr -d '\\n'; \
         printf ', %s GiB, kernel %s, Docker %s, load before the report %s' \"$(awk '/MemTotal/ { printf \"%.0f\", $2 / 1048576 }' /proc/meminfo)\" \
         \"$(uname -r)\" \"$(docker version --format '{{.Server.Version}}')\" \"$(cut -d ' ' -f 1-3 /proc/loadavg)\"",
    )?;
    let commit = shell("git rev-parse --short HEAD")?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let mut text = format!(
        "# Deploys, measured\n\n{date}, commit {}, by `bin/bench deploy {}`.\n{machine}.\n",
        commit.trim(),
        words.join(" ")
    );
    if !compared.is_empty() {
        let _ = write!(
            text,
            "\n## Next to the floor\n\n\
             `dhow deploy --skip-push` of a version new to the hosts, next to the least that a deploy can take on the same hosts: one OpenSSH\n\
             connection per host, all at once, with one script of the seven docker calls that can't be left out (see `bench/src/floor.rs`), turn\n\
             by turn. Medians of {} deploys of each kind (range). All hosts and the client share one machine. Budget: 1.2 times the floor, at a\n\
             round-trip time 3 RTT more; at most 5 exchanges (session channels in the log of the host's sshd).\n\n{}",
            arguments.rounds,
            report::table(compared)
        );
        text += &report::profiles(compared);
    }
    if !simulated.is_empty() {
        let _ = write!(
            text,
            "\n## Very many hosts\n\n\
             `dhow deploy --skip-push` to hosts that another process on the same machine simulates, RTT 50 ms; their docker calls take as long as\n\
             on the fleet. `sshkit.max_concurrent_starts` is raised.\n\n{}",
            report::thousand_table(simulated)
        );
    }
    Ok(text)
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
