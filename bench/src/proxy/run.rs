//! The run: all proxies in turn, round after round, so that a moment in which the machine is busy hits one round and not one proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::drive::{Times, saturate, steady};
use super::group::core_busy;
use super::idle::hold;
use super::origin;
use super::peer::{Peer, Running, Site};
use super::results::{Held, Latencies, Results, Row, Slice, Steady};
use super::scenario::{PLAIN, Scenario, TLS, What};
use super::tls::Clients;
use super::worker::{Destination, Worker};
use crate::failed::Failed;

/// The share of what a proxy can do at which latencies are taken.
const STEADY: f64 = 0.7;
const SMALL: What = What::Http {
    host: PLAIN,
    path: "/",
    body: 0,
};

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The proxies.
    pub peers: Vec<Peer>,
    /// The loads.
    pub scenarios: Vec<Scenario>,
    /// How often each is measured.
    pub rounds: usize,
    /// How long, each time.
    pub measured: Duration,
    /// Clients at once.
    pub connections: usize,
    /// Idle connections that are held.
    pub idle: usize,
    /// Requests a second for the latencies; none is 70 % of what the slowest proxy can do.
    pub rate: Option<f64>,
    /// How long latencies are taken; nothing leaves them out.
    pub steady: Duration,
    /// The core of the proxies.
    pub core: usize,
    /// A folder that this run may fill.
    pub folder: PathBuf,
}

/// Measures everything. `say` is told how far it is.
///
/// # Errors
/// A proxy does not start. What one can't do once it runs is in the results.
pub async fn run(plan: &Plan, say: impl Fn(&str)) -> Result<Results, Failed> {
    let clients = Rc::new(Clients::make(TLS, &plan.folder)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let site = Site {
        folder: plan.folder.clone(),
        origin: listener.local_addr()?,
        core: plan.core,
    };
    tokio::task::spawn_local(origin::serve(listener));

    let mut rows: Vec<Row> = Vec::new();
    for peer in &plan.peers {
        let mut row = Row {
            name: peer.name.clone(),
            slices: plan.scenarios.iter().map(|_| Ok(Vec::new())).collect(),
            steady: Err("not measured".to_owned()),
            held: Some(Err("not measured".to_owned())),
        };
        if plan.idle > 0 {
            say(&format!("memory of {}", peer.name));
            let running = Running::start(peer, &site, "idle").await?;
            let held: Result<Held, Failed> = hold(&running, plan.idle).await;
            row.held = Some(held.map_err(|error| error.to_string()));
        }
        rows.push(row);
    }
    let mut running = Vec::new();
    for peer in &plan.peers {
        running.push(Running::start(peer, &site, "load").await?);
    }
    let bench = Bench {
        plan,
        clients,
        origin: site.origin,
    };
    for round in 0..plan.rounds {
        for (number, scenario) in plan.scenarios.iter().enumerate() {
            say(&format!(
                "round {} of {}: {}",
                round + 1,
                plan.rounds,
                scenario.title
            ));
            let mut turns: Vec<_> = rows.iter_mut().zip(&running).collect();
            let first = (round + number) % turns.len().max(1);
            turns.rotate_left(first);
            for (row, proxy) in turns {
                let Some(kept @ Ok(_)) = row.slices.get_mut(number) else {
                    continue;
                };
                match (bench.slice(scenario, Some(proxy)).await, &mut *kept) {
                    (Ok(slice), Ok(slices)) => slices.push(slice),
                    (Ok(_), Err(_)) => {}
                    (Err(error), _) => *kept = Err(error.to_string()),
                }
            }
        }
    }
    say("latencies");
    let slowest = bench.latencies(&mut rows, &running).await;
    let direct = bench.direct(slowest).await?;
    Ok(Results {
        scenarios: plan.scenarios.clone(),
        rows,
        direct,
    })
}

struct Bench<'a> {
    plan: &'a Plan,
    clients: Rc<Clients>,
    origin: SocketAddr,
}

impl Bench<'_> {
    /// As much as goes through a proxy, or straight to the origin.
    async fn slice(&self, scenario: &Scenario, proxy: Option<&Running>) -> Result<Slice, Failed> {
        let count = self.plan.connections.min(scenario.most_at_once);
        let to = self.to(proxy, scenario.what);
        let workers = Worker::open(scenario.what, count, &to).await?;
        let times = Times {
            warm_up: self.plan.measured.mul_f64(0.25),
            measured: self.plan.measured,
        };
        let usage = || {
            let cpu = proxy.map_or(Ok(Duration::ZERO), |proxy| proxy.group.cpu())?;
            Ok((cpu, core_busy(self.plan.core)?))
        };
        let slice = saturate(workers, times, usage).await;
        if let Some(proxy) = proxy {
            proxy.empty_logs()?;
        }
        slice
    }

    /// Latencies at the same rate for all, and at a rate of its own for each. Gives the rate for all.
    async fn latencies(&self, rows: &mut [Row], running: &[Running]) -> Option<f64> {
        let small = self.plan.scenarios.iter().position(|one| {
            matches!(
                one.what,
                What::Http {
                    host: PLAIN,
                    path: "/",
                    body: 0
                }
            )
        })?;
        if self.plan.steady.is_zero() {
            return None;
        }
        let most = |row: &Row| Some(row.sample(small, Slice::rate)?.median());
        let slowest = rows.iter().filter_map(most).fold(f64::INFINITY, f64::min);
        let rate = self
            .plan
            .rate
            .unwrap_or_else(|| (slowest * STEADY / 100.0).floor() * 100.0);
        for (row, proxy) in rows.iter_mut().zip(running) {
            row.steady = match most(row) {
                None => Err("it does not serve small bodies".to_owned()),
                Some(most) => self
                    .steady(Some(proxy), rate, most * STEADY)
                    .await
                    .map_err(|error| error.to_string()),
            };
        }
        Some(rate)
    }

    async fn steady(
        &self,
        proxy: Option<&Running>,
        rate: f64,
        own_rate: f64,
    ) -> Result<Steady, Failed> {
        Ok(Steady {
            rate,
            same: self.at_rate(proxy, rate).await?,
            own_rate,
            own: self.at_rate(proxy, own_rate).await?,
        })
    }

    async fn at_rate(&self, proxy: Option<&Running>, rate: f64) -> Result<Latencies, Failed> {
        let to = self.to(proxy, SMALL);
        let workers = Worker::open(SMALL, self.plan.connections, &to).await?;
        let times = Times {
            warm_up: self.plan.steady.mul_f64(0.1),
            measured: self.plan.steady,
        };
        let latencies = steady(workers, rate, times).await;
        if let Some(proxy) = proxy {
            proxy.empty_logs()?;
        }
        latencies
    }

    /// The load without a proxy, where that is possible.
    async fn direct(&self, rate: Option<f64>) -> Result<Row, Failed> {
        let mut slices = Vec::new();
        for scenario in &self.plan.scenarios {
            slices.push(if scenario.what.is_tls() {
                Err("the origin has no TLS".to_owned())
            } else {
                Ok(vec![self.slice(scenario, None).await?])
            });
        }
        let steady = match rate {
            Some(rate) => Ok(self.steady(None, rate, rate).await?),
            None => Err("not measured".to_owned()),
        };
        Ok(Row {
            name: "no proxy".to_owned(),
            slices,
            steady,
            held: None,
        })
    }

    fn to(&self, proxy: Option<&Running>, what: What) -> Destination {
        Destination {
            address: proxy.map_or(self.origin, |proxy| proxy.address(what)),
            clients: Rc::clone(&self.clients),
        }
    }
}
