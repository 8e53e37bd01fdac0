//! Events as OTLP log records, in batches, for `output.otel` of the deploy file. The caller posts them to `ENDPOINT/v1/logs`.

use std::time::Duration;

use dhow_run::{Event, EventKind, Level, Stream};
use dhow_text::redact::Redactor;
use serde_json::{Value, json};

use crate::redacted::redacted;
use crate::steps::Steps;
use crate::trouble::Troubles;

/// How many records make a batch.
const BATCH: usize = 100;

/// Commands that are deployments.
const DEPLOYMENTS: [&str; 4] = ["deploy", "redeploy", "rollback", "setup"];

/// Who reports.
#[derive(Clone, Debug)]
pub struct OtelResource {
    /// The version of Kamal that is spoken for.
    pub version: String,
    /// Names this run; a UUID.
    pub run_id: String,
    /// Who deploys.
    pub performer: String,
    /// The destination, if any.
    pub destination: Option<String>,
    /// The app's version, if known.
    pub deploy_version: Option<String>,
    /// The service.
    pub service: String,
    /// When the command started, since the Unix epoch.
    pub started: Duration,
}

/// Turns events into batches of records.
#[derive(Debug)]
pub struct Otel {
    resource: OtelResource,
    redactor: Redactor,
    command: String,
    steps: Steps,
    troubles: Troubles,
    records: Vec<Value>,
}

impl Otel {
    /// Nothing to report yet.
    pub fn new(resource: OtelResource, redactor: Redactor) -> Self {
        Self {
            resource,
            redactor,
            command: String::new(),
            steps: Steps::default(),
            troubles: Troubles::default(),
            records: Vec::new(),
        }
    }

    /// Takes an event in. Gives the body of a request when a batch is full.
    pub fn event(&mut self, event: &Event) -> Option<String> {
        let event = redacted(event, &self.redactor);
        let host = match &event.kind {
            EventKind::Output { id, .. } => self.steps.get(id).and_then(|step| step.host.clone()),
            _ => None,
        };
        let ended = self.steps.note(&event);
        self.troubles.note(&event, ended.as_ref());
        match &event.kind {
            EventKind::CommandStarted { command, .. } => {
                self.command.clone_from(command);
                let attributes = self.run_attributes(None);
                self.push(
                    event.at,
                    Level::Info,
                    "start",
                    Some("kamal.start"),
                    attributes,
                );
            }
            EventKind::Said { level, text } => self.lines(event.at, *level, text, &[]),
            EventKind::StepStarted {
                id,
                host,
                command,
                debug,
                ..
            } => {
                let level = if *debug { Level::Debug } else { Level::Info };
                let place = host.as_deref().unwrap_or("localhost");
                let text = format!("[{id}] Running {command} on {place}");
                self.lines(event.at, level, &text, &[("server.address", place)]);
            }
            EventKind::Output { stream, text, .. } => {
                let stream = match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                };
                let place = host.as_deref().unwrap_or("localhost");
                let attributes = [("server.address", place), ("log.iostream", stream)];
                self.lines(event.at, Level::Debug, text, &attributes);
            }
            EventKind::StepFinished {
                id, exit, seconds, ..
            } => {
                let step = ended.unwrap_or_default();
                let level = if step.debug {
                    Level::Debug
                } else {
                    Level::Info
                };
                let exit = exit.map_or_else(|| "unknown".to_owned(), |exit| exit.to_string());
                let text =
                    format!("[{id}] Finished in {seconds:.3} seconds with exit status {exit}");
                let place = step.host.as_deref().unwrap_or("localhost");
                self.lines(event.at, level, &text, &[("server.address", place)]);
            }
            EventKind::Block { host, text, .. } => {
                self.lines(
                    event.at,
                    Level::Info,
                    text.trim_end(),
                    &[("server.address", host)],
                );
            }
            EventKind::HostFailed { host, failure } => {
                self.lines(
                    event.at,
                    Level::Error,
                    &failure.message,
                    &[("server.address", host)],
                );
            }
            EventKind::CommandFinished { ok, seconds, .. } => self.end(event.at, *ok, *seconds),
            _ => {}
        }
        (self.records.len() >= BATCH).then(|| self.body())
    }

    /// What has gathered so far, if anything: to be asked every few seconds, and at the end.
    pub fn flush(&mut self) -> Option<String> {
        (!self.records.is_empty()).then(|| self.body())
    }

    fn end(&mut self, at: Duration, ok: bool, seconds: f64) {
        let mut attributes = self.run_attributes(Some(ok));
        attributes.push(attribute(
            "kamal.runtime",
            json!({"doubleValue": (seconds * 10.0).round() / 10.0}),
        ));
        if ok {
            self.push(
                at,
                Level::Info,
                "complete",
                Some("kamal.complete"),
                attributes,
            );
        } else {
            let (class, text) = self.troubles.in_kamals_words().unwrap_or_default();
            attributes.push(text_attribute("exception.type", &class));
            attributes.push(text_attribute("exception.message", &text));
            self.push(at, Level::Error, "failed", Some("kamal.failed"), attributes);
        }
    }

    fn run_attributes(&self, ok: Option<bool>) -> Vec<Value> {
        let mut attributes = vec![text_attribute("kamal.command", &self.command)];
        if DEPLOYMENTS.contains(&self.command.as_str()) {
            let name = format!("{} {}", self.command, self.resource.service);
            attributes.push(text_attribute("deployment.id", &self.resource.run_id));
            attributes.push(text_attribute("deployment.name", &name));
            if let Some(ok) = ok {
                let status = if ok { "succeeded" } else { "failed" };
                attributes.push(text_attribute("deployment.status", status));
            }
        }
        attributes
    }

    /// One record a line; blank lines count.
    fn lines(&mut self, at: Duration, level: Level, text: &str, attributes: &[(&str, &str)]) {
        for line in text.split('\n') {
            let attributes = attributes
                .iter()
                .map(|(key, value)| text_attribute(key, value))
                .collect();
            self.push(at, level, line, None, attributes);
        }
    }

    fn push(
        &mut self,
        at: Duration,
        level: Level,
        text: &str,
        name: Option<&str>,
        attributes: Vec<Value>,
    ) {
        let (number, word) = match level {
            Level::Debug => (5, "DEBUG"),
            Level::Info => (9, "INFO"),
            Level::Warn => (13, "WARN"),
            Level::Error => (17, "ERROR"),
        };
        let time = (self.resource.started + at).as_nanos().to_string();
        let mut record = json!({
            "timeUnixNano": time,
            "observedTimeUnixNano": time,
            "severityNumber": number,
            "severityText": word,
            "body": {"stringValue": text},
        });
        if let Value::Object(fields) = &mut record {
            if let Some(name) = name {
                fields.insert("eventName".to_owned(), json!(name));
            }
            if !attributes.is_empty() {
                fields.insert("attributes".to_owned(), Value::Array(attributes));
            }
        }
        self.records.push(record);
    }

    fn body(&mut self) -> String {
        let resource = &self.resource;
        let mut attributes = vec![
            text_attribute("service.name", "kamal"),
            text_attribute("service.version", &resource.version),
            text_attribute("kamal.run_id", &resource.run_id),
            text_attribute("kamal.performer", &resource.performer),
        ];
        attributes.extend(
            resource
                .destination
                .iter()
                .map(|d| text_attribute("deployment.environment.name", d)),
        );
        attributes.extend(
            resource
                .deploy_version
                .iter()
                .map(|v| text_attribute("kamal.deploy_version", v)),
        );
        attributes.push(text_attribute("service.namespace", &resource.service));
        let records = std::mem::take(&mut self.records);
        json!({
            "resourceLogs": [{
                "resource": {"attributes": attributes},
                "scopeLogs": [{
                    "scope": {"name": "kamal", "version": resource.version},
                    "logRecords": records,
                }],
            }],
        })
        .to_string()
    }
}

fn text_attribute(key: &str, value: &str) -> Value {
    attribute(key, json!({"stringValue": value}))
}

fn attribute(key: &str, value: Value) -> Value {
    let mut fields = serde_json::Map::new();
    fields.insert("key".to_owned(), Value::from(key));
    fields.insert("value".to_owned(), value);
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporter::tests::{TOKEN, deploy, event, output, redactor, said, started};

    fn otel() -> Otel {
        let resource = OtelResource {
            version: "2.12.0".to_owned(),
            run_id: "1b4e28ba".to_owned(),
            performer: "ada@example.com".to_owned(),
            destination: Some("staging".to_owned()),
            deploy_version: None,
            service: "shop".to_owned(),
            started: Duration::from_secs(1_700_000_000),
        };
        Otel::new(resource, redactor())
    }

    #[test]
    fn config_item_18_09_a_failed_deploy_as_records() {
        let mut otel = otel();
        for event in deploy() {
            assert_eq!(otel.event(&event), None);
        }
        let body = otel.flush().unwrap();
        assert!(
            !body.contains(TOKEN) && body.contains("[REDACTED]"),
            "{body}"
        );
        assert_eq!(otel.flush(), None);
        let body: Value = serde_json::from_str(&body).unwrap();
        let logs = &body["resourceLogs"][0];
        assert_eq!(
            logs["resource"]["attributes"][0]["value"]["stringValue"],
            "kamal"
        );
        let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
        let last = records.last().unwrap();
        assert_eq!(last["eventName"], "kamal.failed");
        assert_eq!(last["timeUnixNano"], "1700000012300000000");
        assert_eq!(last["severityNumber"], 17);
        let attributes = last["attributes"].to_string();
        for part in [
            "deployment.status",
            "\"failed\"",
            "deploy shop",
            "SSHKit::Command::Failed",
        ] {
            assert!(attributes.contains(part), "{part} in {attributes}");
        }
    }

    /// Every field, once.
    #[test]
    fn config_item_18_09_the_whole_of_a_request() {
        let mut otel = otel();
        let started = EventKind::CommandStarted {
            command: "deploy".to_owned(),
            version: None,
            hosts: Vec::new(),
        };
        let ended = EventKind::CommandFinished {
            ok: true,
            seconds: 1.26,
            exit: 0,
        };
        let events = [
            event(0.0, started),
            said(0.5, Level::Warn, "careful"),
            said(0.5, Level::Error, "oh"),
            started_step(),
            output(0.7, "0000000a", Stream::Stderr, "x"),
            event(1.0, ended),
        ];
        for event in events {
            assert_eq!(otel.event(&event), None);
        }
        let body: Value = serde_json::from_str(&otel.flush().unwrap()).unwrap();
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let record = |millis: u64, number: u8, word: &str, body: &str, more: Value| {
            let time = (1_700_000_000_000_u64 + millis) * 1_000_000;
            let mut record = json!({
                "timeUnixNano": time.to_string(),
                "observedTimeUnixNano": time.to_string(),
                "severityNumber": number,
                "severityText": word,
                "body": {"stringValue": body},
            });
            if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
                record.extend(more);
            }
            record
        };
        let run = [
            text("kamal.command", "deploy"),
            text("deployment.id", "1b4e28ba"),
            text("deployment.name", "deploy shop"),
        ];
        let mut end = run.to_vec();
        end.push(text("deployment.status", "succeeded"));
        end.push(json!({"key": "kamal.runtime", "value": {"doubleValue": 1.3}}));
        let on_host = text("server.address", "10.0.0.1");
        assert_eq!(
            body,
            json!({"resourceLogs": [{
                "resource": {"attributes": [
                    text("service.name", "kamal"),
                    text("service.version", "2.12.0"),
                    text("kamal.run_id", "1b4e28ba"),
                    text("kamal.performer", "ada@example.com"),
                    text("deployment.environment.name", "staging"),
                    text("service.namespace", "shop"),
                ]},
                "scopeLogs": [{
                    "scope": {"name": "kamal", "version": "2.12.0"},
                    "logRecords": [
                        record(0, 9, "INFO", "start", json!({"eventName": "kamal.start", "attributes": run})),
                        record(500, 13, "WARN", "careful", json!({})),
                        record(500, 17, "ERROR", "oh", json!({})),
                        record(600, 9, "INFO", "[0000000a] Running docker ps on 10.0.0.1", json!({"attributes": [on_host]})),
                        record(700, 5, "DEBUG", "x", json!({"attributes": [on_host, text("log.iostream", "stderr")]})),
                        record(1000, 9, "INFO", "complete", json!({"eventName": "kamal.complete", "attributes": end})),
                    ],
                }],
            }]})
        );
    }

    fn started_step() -> Event {
        started(0.6, "0000000a", Some("10.0.0.1"), "looking", "docker ps")
    }

    #[test]
    fn config_item_18_09_a_hundred_records_are_a_batch() {
        let mut otel = otel();
        let said = event(
            0.0,
            EventKind::Said {
                level: Level::Info,
                text: "a\n\nb".to_owned(),
            },
        );
        let full = (1..=40).find(|_| otel.event(&said).is_some());
        assert_eq!(full, Some(34), "three records each, blank lines count");
    }
}
