//! Runs plans: stages in order, hosts of a stage at once, tracks of a host in order.
//!
//! In: a [`Plan`]. Out: an [`Outcome`] per track, and events on the way. A host that fails takes no further part in its stage;
//! the other hosts finish theirs; the stages after it do not run.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use dhow_plan::{Action, Gate, Plan, Stage, Step, Track, Work};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::event::{EventKind, Failure, Level};
use crate::fleet::Fleet;
use crate::local::Local;
use crate::shell::{HostShell, Ran, Whose};
use crate::sink::Sink;

/// Whoever runs plans.
pub struct Executor<'f> {
    fleet: &'f Fleet,
    local: &'f Local,
    sink: Sink,
    done: Mutex<HashMap<String, HostWork>>,
}

/// What became of a track.
#[derive(Debug)]
pub struct Outcome {
    /// The host.
    pub host: String,
    /// The role, where the track belongs to one.
    pub role: Option<String>,
    /// What each step printed to its standard output.
    pub outputs: Vec<String>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// Why a plan ended early: the failures of the stage it ended in, host by host (none for the deployer's own machine).
#[derive(Debug)]
pub struct Failed {
    /// Host and failure.
    pub hosts: Vec<(Option<String>, Failure)>,
}

/// Work done on a host so far.
#[derive(Clone, Copy, Debug, Default)]
struct HostWork {
    seconds: f64,
    steps: u32,
}

impl<'f> Executor<'f> {
    /// Runs on these connections.
    pub fn new(fleet: &'f Fleet, local: &'f Local, sink: Sink) -> Self {
        Self {
            fleet,
            local,
            sink,
            done: Mutex::default(),
        }
    }

    /// Runs a plan. The outcomes are those of all stages, in order.
    pub async fn execute(&self, plan: &Plan) -> Result<Vec<Outcome>, Failed> {
        let mut outcomes = Vec::new();
        for stage in &plan.stages {
            outcomes.extend(self.stage(stage).await?);
        }
        Ok(outcomes)
    }

    /// Runs tracks at once and gives every outcome, failed or not: for looking at hosts.
    pub async fn ask(&self, tracks: Vec<Track>) -> Vec<Outcome> {
        let gates = Gates::default();
        join_all(tracks.iter().map(|track| self.track(track, 0, &gates))).await
    }

    /// The last word about every host that took part.
    pub fn summarise(&self) {
        let Ok(done) = self.done.lock() else { return };
        let mut hosts: Vec<_> = done.iter().collect();
        hosts.sort_by_key(|(host, _)| (*host).clone());
        for (host, work) in hosts {
            self.sink.emit(EventKind::HostFinished {
                host: host.clone(),
                seconds: work.seconds,
                steps: work.steps,
            });
        }
    }

    async fn stage(&self, stage: &Stage) -> Result<Vec<Outcome>, Failed> {
        if let Some(text) = &stage.say {
            self.sink.say(Level::Info, text);
        }
        let started = Instant::now();
        let hosts = match &stage.work {
            Work::Local(_) => Vec::new(),
            Work::Hosts { tracks, .. } => by_host(tracks)
                .iter()
                .map(|(host, _)| (*host).to_owned())
                .collect(),
        };
        self.sink.emit(EventKind::StageStarted {
            stage: stage.name.clone(),
            hosts,
        });
        let result = match &stage.work {
            Work::Local(steps) => match self.local.run(steps, &self.sink).await {
                Ok(()) => Ok(Vec::new()),
                Err(failure) => Err(Failed {
                    hosts: vec![(None, failure)],
                }),
            },
            Work::Hosts {
                tracks,
                parallel_roles,
            } => self.hosts(tracks, *parallel_roles).await,
        };
        self.sink.emit(EventKind::StageFinished {
            stage: stage.name.clone(),
            seconds: started.elapsed().as_secs_f64(),
            ok: result.is_ok(),
        });
        result
    }

    async fn hosts(&self, tracks: &[Track], parallel_roles: bool) -> Result<Vec<Outcome>, Failed> {
        let gates = Gates::for_tracks(tracks);
        let hosts = by_host(tracks).into_iter().map(|(_, tracks)| async {
            if parallel_roles {
                let lanes = tracks.into_iter().enumerate();
                join_all(lanes.map(|(lane, track)| self.track(track, lane, &gates))).await
            } else {
                let mut outcomes = Vec::new();
                for track in tracks {
                    let outcome = self.track(track, 0, &gates).await;
                    let failed = outcome.failure.is_some();
                    outcomes.push(outcome);
                    if failed {
                        break;
                    }
                }
                outcomes
            }
        });
        let outcomes: Vec<Outcome> = join_all(hosts).await.into_iter().flatten().collect();
        let failures: Vec<(Option<String>, Failure)> = outcomes
            .iter()
            .filter_map(|o| Some((Some(o.host.clone()), o.failure.clone()?)))
            .collect();
        if failures.is_empty() {
            Ok(outcomes)
        } else {
            Err(Failed { hosts: failures })
        }
    }

    async fn track(&self, track: &Track, lane: usize, gates: &Gates) -> Outcome {
        let started = Instant::now();
        let mut outcome = Outcome {
            host: track.host.clone(),
            role: track.role.clone(),
            outputs: Vec::new(),
            failure: None,
        };
        if let Some(gate) = &track.waits_for
            && !self.wait_at(gate, track, gates).await
        {
            outcome.failure = Some(Failure::new("RuntimeError", "Halted at barrier"));
        } else {
            self.segments(track, lane, &mut outcome).await;
        }
        if let Some(gate) = &track.opens {
            self.decide(gate, track, gates, outcome.failure.is_none());
        }
        if let Ok(mut done) = self.done.lock() {
            done.entry(track.host.clone()).or_default().seconds += started.elapsed().as_secs_f64();
        }
        if let Some(failure) = &outcome.failure {
            self.sink.emit(EventKind::HostFailed {
                host: track.host.clone(),
                failure: failure.clone(),
            });
        }
        outcome
    }

    /// A track's steps, cut where one of them needs an exchange of its own.
    async fn segments(&self, track: &Track, lane: usize, outcome: &mut Outcome) {
        for segment in track.steps.chunk_by(|a, b| !is_feed(a) && !is_feed(b)) {
            let ran = match segment {
                [step] if is_feed(step) => self.feed(track, lane, step).await,
                steps => self.program(track, lane, steps).await,
            };
            if let Ok(mut done) = self.done.lock() {
                done.entry(track.host.clone()).or_default().steps += ran.steps;
            }
            outcome.outputs.extend(ran.outputs);
            if ran.failure.is_some() {
                outcome.failure = ran.failure;
                return;
            }
        }
    }

    async fn program(&self, track: &Track, lane: usize, steps: &[Step]) -> Ran {
        let slot = self.fleet.shell(&track.host, lane).await;
        let mut slot = slot.lock().await;
        let mut shell = match slot.take() {
            Some(shell) => shell,
            None => match self.open(&track.host).await {
                Ok(shell) => shell,
                Err(failure) => {
                    return Ran {
                        failure: Some(failure),
                        ..Ran::default()
                    };
                }
            },
        };
        let whose = Whose {
            host: &track.host,
            role: track.role.as_deref(),
        };
        let ran = shell.run(whose, steps, &track.on_failure, &self.sink).await;
        if ran.alive {
            *slot = Some(shell);
        }
        ran
    }

    /// A step with a large input, then the clean-up if it failed.
    async fn feed(&self, track: &Track, lane: usize, step: &Step) -> Ran {
        let fed = match self.fleet.session(&track.host).await {
            Ok(session) => crate::feed::feed(&session, &track.host, step, &self.sink).await,
            Err(failure) => Err(failure),
        };
        let mut ran = Ran {
            steps: 1,
            alive: true,
            ..Ran::default()
        };
        match fed {
            Ok(output) => ran.outputs.push(output),
            Err(failure) => {
                if !track.on_failure.is_empty() {
                    let clean_up: Vec<Step> = track
                        .on_failure
                        .iter()
                        .map(|step| step.clone().tolerated())
                        .collect();
                    self.program(track, lane, &clean_up).await;
                }
                ran.failure = Some(failure);
            }
        }
        ran
    }

    async fn open(&self, host: &str) -> Result<HostShell, Failure> {
        let session = self.fleet.session(host).await?;
        HostShell::open(&session, self.fleet.mark()).await
    }

    async fn wait_at(&self, gate: &Gate, track: &Track, gates: &Gates) -> bool {
        let Some(state) = gates.0.get(gate) else {
            return true;
        };
        let role = track.role.as_deref().unwrap_or_default();
        let say = |text: String| self.sink.say(Level::Info, text);
        say(format!(
            "Waiting for the first healthy {} container before booting {role} on {}...",
            gate.0, track.host
        ));
        let mut state = state.subscribe();
        let open = match state.wait_for(Option::is_some).await {
            Ok(decided) => decided.unwrap_or(false),
            Err(_) => false,
        };
        say(if open {
            format!(
                "First {} container is healthy, booting {role} on {}...",
                gate.0, track.host
            )
        } else {
            format!(
                "First {} container is unhealthy, not booting {role} on {}",
                gate.0, track.host
            )
        });
        open
    }

    fn decide(&self, gate: &Gate, track: &Track, gates: &Gates, open: bool) {
        let Some(state) = gates.0.get(gate) else {
            return;
        };
        let first = state.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(open);
            }
            first
        });
        if first {
            let text = if open {
                format!(
                    "First {} container is healthy on {}, booting any other roles",
                    gate.0, track.host
                )
            } else {
                format!(
                    "First {} container is unhealthy on {}, not booting any other roles",
                    gate.0, track.host
                )
            };
            self.sink.say(Level::Info, text);
            self.sink.emit(EventKind::Gate {
                role: gate.0.clone(),
                host: track.host.clone(),
                open,
            });
        }
    }
}

/// The gates of a stage: undecided, open or closed.
#[derive(Default)]
struct Gates(HashMap<Gate, watch::Sender<Option<bool>>>);

impl Gates {
    /// Gates that some track of the stage decides. Waiting for any other would never end.
    fn for_tracks(tracks: &[Track]) -> Self {
        let gates = tracks.iter().filter_map(|track| track.opens.clone());
        Self(gates.map(|gate| (gate, watch::Sender::new(None))).collect())
    }
}

fn is_feed(step: &Step) -> bool {
    matches!(step.action, Action::Feed { .. })
}

/// Tracks by host, both in the order they come.
fn by_host(tracks: &[Track]) -> Vec<(&str, Vec<&Track>)> {
    let mut hosts: Vec<(&str, Vec<&Track>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for track in tracks {
        let place = *places.entry(&track.host).or_insert(hosts.len());
        match hosts.get_mut(place) {
            Some((_, tracks)) => tracks.push(track),
            None => hosts.push((&track.host, vec![track])),
        }
    }
    hosts
}
