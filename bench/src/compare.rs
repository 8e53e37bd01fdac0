//! Deploys by dhow and by the floor, turn by turn, on the same hosts.
//!
//! In: how many hosts, how far away, how often. Out: what both took. Every deploy is checked: a figure of one that left something
//! wrong on a host would be worth nothing.

use std::process::Command;

use crate::app::{App, Dhow, State, container};
use crate::failed::Failed;
use crate::fleet::{Fleet, Host, on_all};
use crate::floor::{self, Versions};
use crate::measured::Measured;
use crate::profile::Profile;
use crate::relay::Relay;
use crate::sample::Sample;

/// How many stopped containers a host keeps (`retain_containers`).
const RETAINED: usize = 5;
/// How much longer than the floor a deploy may take.
const FACTOR: f64 = 1.2;
/// How many round trips more than that.
const ROUND_TRIPS: f64 = 3.0;
/// Exchanges that a deploy may cost on a host.
const EXCHANGES: f64 = 5.0;

/// One comparison.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// On so many hosts.
    pub hosts: usize,
    /// Milliseconds from question to answer; 0 is the fleet as it is.
    pub round_trip_ms: f64,
    /// Deploys of each kind.
    pub rounds: usize,
    /// Whether dhow is asked for events, to tell where its time goes.
    pub profile: bool,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Of what.
    pub case: Case,
    /// Seconds of dhow's deploys.
    pub dhow: Sample,
    /// Seconds of the floor's.
    pub floor: Sample,
    /// Seconds of processor time of the client.
    pub dhow_cpu: Sample,
    /// The same of the `ssh` processes.
    pub floor_cpu: Sample,
    /// MiB of memory that the client held.
    pub dhow_mib: Sample,
    /// Exchanges on the host with the most.
    pub exchanges: Sample,
    /// Where the time went, one a deploy, if that was asked.
    pub profiles: Vec<Profile>,
}

impl Compared {
    /// The most that a deploy may take, in seconds.
    #[must_use]
    pub fn budget(&self) -> f64 {
        FACTOR * self.floor.median() + ROUND_TRIPS * self.case.round_trip_ms / 1000.0
    }

    /// How much of the budget is used; up to 1 is met.
    #[must_use]
    pub fn used(&self) -> f64 {
        self.dhow.median() / self.budget()
    }

    /// Whether time and exchanges are within their budgets.
    #[must_use]
    pub fn met(&self) -> bool {
        self.used() <= 1.0 && self.exchanges.most() <= EXCHANGES
    }
}

/// The versions that a case needs, in the order of their use.
#[must_use]
pub fn versions(rounds: usize) -> Vec<String> {
    // What was deployed before, a warm-up of each kind, and the rounds.
    (0..RETAINED + 2 + 2 * rounds)
        .map(|number| format!("v{number:03}"))
        .collect()
}

/// Runs a case. The app's versions ([`versions`]) are in the registry.
///
/// # Errors
/// A deploy fails or leaves something wrong.
pub fn compare(fleet: &Fleet, app: &App, dhow: &Dhow, case: Case) -> Result<Compared, Failed> {
    let hosts = fleet.hosts.get(..case.hosts).ok_or_else(|| {
        Failed::Wrong(format!(
            "the fleet has fewer than {} hosts: run bin/fleet up {}",
            case.hosts, case.hosts
        ))
    })?;
    let relay = match case.round_trip_ms {
        0.0 => None,
        milliseconds => Some(Relay::start(&fleet.root, milliseconds)?),
    };
    let addresses: Vec<&str> = hosts
        .iter()
        .map(|host| match relay {
            Some(_) => host.far.as_str(),
            None => host.near.as_str(),
        })
        .collect();
    app.configure(fleet, &addresses)?;
    let all = versions(case.rounds);
    on_all(hosts, |host| {
        app.settle(fleet, host, all.get(..RETAINED).unwrap_or_default())
    })?;

    let mut compared = Compared {
        case,
        dhow: Sample::default(),
        floor: Sample::default(),
        dhow_cpu: Sample::default(),
        floor_cpu: Sample::default(),
        dhow_mib: Sample::default(),
        exchanges: Sample::default(),
        profiles: Vec::new(),
    };
    let field = Field {
        fleet,
        app,
        dhow,
        hosts,
        addresses: &addresses,
    };
    // Nothing runs yet, so there is nothing to compare; the proxy is started now if there is none.
    field.dhow(all.get(RETAINED).map_or("", String::as_str), case.profile)?;
    for (turn, window) in all.windows(RETAINED + 2).enumerate() {
        let [oldest, .., old, new] = window else {
            continue;
        };
        let versions = Versions {
            new: new.clone(),
            old: old.clone(),
            oldest: oldest.clone(),
        };
        // A warm-up of the floor; then who goes first changes every round: d f, f d, d f, …
        let floors = turn == 0 || matches!(turn % 4, 2 | 3);
        let measured = if floors {
            Measured::run(floor::commands(fleet, app, &addresses, &versions))?
        } else {
            let before = on_all(hosts, Host::exchanges)?;
            let measured = field.dhow(new, case.profile)?;
            let after = on_all(hosts, Host::exchanges)?;
            let most = after
                .iter()
                .zip(&before)
                .map(|(after, before)| after - before);
            if turn > 0 {
                compared
                    .exchanges
                    .push(most.max().unwrap_or_default() as f64);
            }
            measured
        };
        field.check(new)?;
        let (wall, cpu) = (measured.wall.as_secs_f64(), measured.cpu.as_secs_f64());
        match (turn, floors) {
            // A warm-up.
            (0, _) => {}
            (_, true) => {
                compared.floor.push(wall);
                compared.floor_cpu.push(cpu);
            }
            (_, false) => {
                compared.dhow.push(wall);
                compared.dhow_cpu.push(cpu);
                compared.dhow_mib.push(measured.rss_kib as f64 / 1024.0);
                if case.profile {
                    let events = measured.outputs.first().map_or("", String::as_str);
                    compared.profiles.push(Profile::read(events, wall)?);
                }
            }
        }
    }
    on_all(hosts, |host| app.clear(host))?;
    Ok(compared)
}

struct Field<'f> {
    fleet: &'f Fleet,
    app: &'f App,
    dhow: &'f Dhow,
    hosts: &'f [Host],
    addresses: &'f [&'f str],
}

impl Field<'_> {
    fn dhow(&self, version: &str, profile: bool) -> Result<Measured, Failed> {
        let mut command: Command = self.app.deploy(self.fleet, self.dhow, version);
        if profile {
            command.arg("--json");
        }
        Measured::run(vec![command])
    }

    /// Whether each host runs this version and nothing else, and keeps what it should keep.
    fn check(&self, version: &str) -> Result<(), Failed> {
        let right = State {
            running: vec![container(version)],
            stopped: RETAINED,
            images: RETAINED + 1,
        };
        for (host, state) in self
            .hosts
            .iter()
            .zip(on_all(self.hosts, |host| self.app.state(host))?)
        {
            if state != right {
                return Err(Failed::Wrong(format!(
                    "after the deploy of {version} to {} `{}` has {state:?}, which should be {right:?}",
                    self.addresses.join(", "),
                    host.name,
                )));
            }
        }
        Ok(())
    }
}
