//! Where the time of a deploy goes.
//!
//! In: the events that `dhow --json` printed. Out: rows, one a part of the deploy, in order. Steps of several hosts that run at the same
//! time count by their mean; what is left of a stage is waiting for the slowest host, round trips and the shell between the steps.

use std::collections::HashMap;

use serde_json::Value;

use crate::failed::Failed;
use crate::sample::Sample;

/// Parts of a deploy in their order, with their seconds.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    rows: Vec<(String, f64)>,
}

impl Profile {
    /// Reads the events of a deploy that took `wall` seconds.
    ///
    /// # Errors
    /// A line is no event.
    pub fn read(events: &str, wall: f64) -> Result<Self, Failed> {
        let mut fold = Fold::default();
        for line in events.lines() {
            let event: Value = serde_json::from_str(line)
                .map_err(|error| Failed::Wrong(format!("no event: `{line}`: {error}")))?;
            fold.take(&event);
        }
        Ok(fold.finish(wall))
    }

    /// The rows of several deploys, each part with the seconds it took in those that have it.
    #[must_use]
    pub fn merge(profiles: &[Self]) -> Vec<(String, Sample)> {
        let mut merged: Vec<(String, Sample)> = Vec::new();
        for (name, seconds) in profiles.iter().flat_map(|profile| &profile.rows) {
            match merged.iter_mut().find(|(other, _)| other == name) {
                Some((_, sample)) => sample.push(*seconds),
                None => merged.push((name.clone(), [*seconds].into_iter().collect())),
            }
        }
        merged
    }
}

#[derive(Default)]
struct Fold {
    rows: Vec<(String, f64)>,
    connected_at: f64,
    connected: f64,
    stage: Option<Stage>,
    last_stage_end: f64,
    /// Steps under way: where and what.
    running: HashMap<String, (String, String)>,
    looks: Vec<f64>,
    end: f64,
}

#[derive(Default)]
struct Stage {
    started: f64,
    /// Titles in the order they first came, with seconds on all hosts together.
    steps: Vec<(String, f64)>,
    hosts: f64,
}

impl Fold {
    fn take(&mut self, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| event.get(name).and_then(Value::as_f64).unwrap_or_default();
        let at = number("at");
        match text("event") {
            "connected" => {
                self.connected = self.connected.max(number("seconds"));
                self.connected_at = self.connected_at.max(at);
            }
            "stage_started" => {
                if self.rows.is_empty() {
                    self.before_stages(at);
                } else {
                    self.rows
                        .push(("between stages".to_owned(), at - self.last_stage_end));
                }
                self.stage = Some(Stage {
                    started: at,
                    ..Stage::default()
                });
            }
            "step_started" => {
                let place = (text("host").to_owned(), text("title").to_owned());
                self.running.insert(text("id").to_owned(), place);
            }
            "step_finished" => {
                let Some((_, title)) = self.running.remove(text("id")) else {
                    return;
                };
                let seconds = number("seconds");
                match &mut self.stage {
                    Some(stage) => {
                        match stage.steps.iter_mut().find(|(other, _)| *other == title) {
                            Some((_, sum)) => *sum += seconds,
                            None => stage.steps.push((title, seconds)),
                        }
                    }
                    None => self.looks.push(seconds),
                }
            }
            "stage_finished" => self.end_stage(text("stage"), at),
            "command_finished" => self.end = at,
            _ => {}
        }
        if let (Some(stage), Some(hosts)) = (&mut self.stage, event.get("hosts")) {
            stage.hosts = hosts.as_array().map_or(1, Vec::len).max(1) as f64;
        }
    }

    fn before_stages(&mut self, at: f64) {
        let looked = self.looks.iter().copied().fold(0.0, f64::max);
        self.rows.push(("connect".to_owned(), self.connected));
        self.rows.push((
            "before connecting".to_owned(),
            self.connected_at - self.connected,
        ));
        self.rows.push(("look at the host".to_owned(), looked));
        self.rows.push((
            "rest of look and lock".to_owned(),
            at - self.connected_at - looked,
        ));
    }

    fn end_stage(&mut self, name: &str, at: f64) {
        let Some(stage) = self.stage.take() else {
            return;
        };
        let mut rest = at - stage.started;
        for (title, sum) in stage.steps {
            let seconds = sum / stage.hosts;
            rest -= seconds;
            self.rows.push((format!("{name}: {title}"), seconds));
        }
        self.rows.push((format!("{name}: rest"), rest));
        self.last_stage_end = at;
    }

    fn finish(mut self, wall: f64) -> Profile {
        let release = self.end - self.last_stage_end;
        self.rows.push(("release the lock".to_owned(), release));
        self.rows.push((
            "start of the program, closing connections".to_owned(),
            wall - self.end,
        ));
        Profile { rows: self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let events = r#"{"at":0.0,"event":"command_started"}
{"at":0.1,"event":"connected","host":"a","seconds":0.09}
{"at":0.11,"event":"step_started","id":"1","host":"a","title":"looking"}
{"at":0.15,"event":"step_finished","id":"1","seconds":0.04}
{"at":0.2,"event":"stage_started","stage":"boot","hosts":["a","b"]}
{"at":0.2,"event":"step_started","id":"2","host":"a","title":"run"}
{"at":0.2,"event":"step_started","id":"3","host":"b","title":"run"}
{"at":0.4,"event":"step_finished","id":"2","seconds":0.2}
{"at":0.6,"event":"step_finished","id":"3","seconds":0.4}
{"at":0.6,"event":"stage_finished","stage":"boot"}
{"at":0.7,"event":"command_finished"}"#;
        let profile = Profile::read(events, 0.75).unwrap();
        let sum: f64 = profile.rows.iter().map(|(_, seconds)| seconds).sum();
        assert!((sum - 0.75).abs() < 1e-9, "{profile:?}");
        let run = profile.rows.iter().find(|(name, _)| name == "boot: run");
        assert!(run.is_some_and(|(_, seconds)| (seconds - 0.3).abs() < 1e-9));
    }
}
