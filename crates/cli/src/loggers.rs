//! Where the deploy file's `output` sends logs beside the terminal: a file, an OpenTelemetry collector.
//!
//! In: the events of one command. Out: a file that grows with them, requests to the collector, and at the end a line for each saying
//! where the logs went. Whatever fails here is told and stops nothing.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dhow_certs::Fetcher;
use dhow_config::Config;
use dhow_report::{LogFile, Otel, OtelResource, log_file_name};
use dhow_run::Event;
use dhow_text::redact::Redactor;
use http::Uri;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commands::complain;
use crate::edge::Edge;
use crate::git::Git;

/// How long records wait for others to go with.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How long the collector has for one request: two seconds to connect and five to answer.
const REQUEST_TIME: Duration = Duration::from_secs(7);

/// How long the end of a command waits for records that are still under way.
const LAST_TIME: Duration = Duration::from_secs(20);

/// The logs of one command.
#[derive(Default)]
pub(crate) struct Loggers {
    file: Option<FileLog>,
    otel: Option<OtelLog>,
}

/// What is to be logged.
pub(crate) struct Subject<'s> {
    pub(crate) config: &'s Config,
    /// `app boot`
    pub(crate) command: &'s str,
    /// The version, where it is known without asking.
    pub(crate) version: Option<&'s str>,
    pub(crate) redactor: &'s Redactor,
}

impl Loggers {
    /// Starts what the deploy file asks for. What can't be started is told on standard error.
    pub(crate) fn start(edge: &Edge, git: &Git<'_>, subject: &Subject<'_>) -> Self {
        let output = &subject.config.output;
        let file = output.file_path.as_deref();
        let otel = output.otel_endpoint.as_deref();
        Self {
            file: file.and_then(|path| started(FileLog::start(edge, path, subject))),
            otel: otel.and_then(|endpoint| started(OtelLog::start(edge, git, endpoint, subject))),
        }
    }

    /// Takes an event in.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(file) = &mut self.file {
            let text = file.log.event(event);
            file.write(&text);
        }
        if let Some(otel) = &mut self.otel {
            let full = otel.log.event(event);
            otel.send(full);
        }
    }

    /// To be called some times a second.
    pub(crate) fn tick(&mut self) {
        if let Some(otel) = &mut self.otel
            && otel.flushed.elapsed() >= FLUSH_INTERVAL
        {
            let body = otel.log.flush();
            otel.send(body);
        }
    }

    /// Writes and sends what is left. Gives the lines to show: where the logs are, and what went wrong.
    pub(crate) async fn finish(self) -> Farewell {
        let mut farewell = Farewell::default();
        if let Some(mut file) = self.file {
            let text = file.log.finish();
            file.write(&text);
            match file.failed {
                None => farewell.said.push(format!("Logs written to {}", file.name)),
                Some(error) => farewell
                    .failed
                    .push(format!("Writing logs to {} failed: {error}", file.name)),
            }
        }
        if let Some(mut otel) = self.otel {
            let body = otel.log.flush();
            otel.send(body);
            drop(otel.bodies);
            let sent = tokio::time::timeout(LAST_TIME, otel.task).await;
            match sent {
                Ok(Ok(None)) => farewell
                    .said
                    .push(format!("Logs sent to {}", otel.endpoint)),
                Ok(Ok(Some(error))) => farewell
                    .failed
                    .push(format!("OTel log shipping failed: {error}")),
                Ok(Err(_)) | Err(_) => farewell.failed.push(format!(
                    "OTel log shipping failed: {} took too long",
                    otel.endpoint
                )),
            }
        }
        farewell
    }
}

fn started<T>(result: Result<T, String>) -> Option<T> {
    let told = |error: &String| complain(&format!("Output logger setup failed: {error}"));
    result.inspect_err(told).ok()
}

/// What is said about logs when all is over.
#[derive(Default)]
pub(crate) struct Farewell {
    /// Where they are.
    pub(crate) said: Vec<String>,
    /// Why they are not.
    pub(crate) failed: Vec<String>,
}

struct FileLog {
    log: LogFile,
    file: File,
    name: String,
    failed: Option<std::io::Error>,
}

impl FileLog {
    fn start(edge: &Edge, folder: &str, subject: &Subject<'_>) -> Result<Self, String> {
        let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let destination = subject.config.destination.as_deref();
        let name = log_file_name(&time, destination, subject.command);
        let directory = edge.path(folder);
        let failed = |error: std::io::Error| format!("SystemCallError: {folder}: {error}");
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.join(&name))
            .map_err(failed)?;
        Ok(Self {
            log: LogFile::new(subject.redactor.clone()),
            file,
            name: format!("{}/{name}", folder.trim_end_matches('/')),
            failed: None,
        })
    }

    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(text.as_bytes()).err();
        }
    }
}

struct OtelLog {
    log: Otel,
    endpoint: String,
    bodies: mpsc::UnboundedSender<String>,
    /// Ends when all is sent; gives the first failure.
    task: JoinHandle<Option<String>>,
    flushed: Instant,
}

impl OtelLog {
    fn start(
        edge: &Edge,
        git: &Git<'_>,
        endpoint: &str,
        subject: &Subject<'_>,
    ) -> Result<Self, String> {
        let url = format!("{}/v1/logs", endpoint.strip_suffix('/').unwrap_or(endpoint));
        let url: Uri = url
            .parse()
            .map_err(|error| format!("URI::InvalidURIError: {endpoint}: {error}"))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let fetcher = Fetcher::new(Vec::new(), provider.into())
            .map_err(|error| format!("OpenSSL::SSL::SSLError: {error}"))?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let resource = OtelResource {
            version: dhow_config::KAMAL_VERSION.to_owned(),
            run_id: run_id(),
            performer: git.performer().to_owned(),
            destination: subject.config.destination.clone(),
            deploy_version: subject.version.map(str::to_owned).or_else(|| {
                let builds_work_tree = subject.config.builder.context.is_some();
                git.version(builds_work_tree).ok()
            }),
            service: subject.config.service.clone(),
            started: now.saturating_sub(edge.started.elapsed()),
        };
        let (bodies, queue) = mpsc::unbounded_channel();
        Ok(Self {
            log: Otel::new(resource, subject.redactor.clone()),
            endpoint: endpoint.to_owned(),
            bodies,
            task: tokio::spawn(ship(fetcher, url, queue)),
            flushed: Instant::now(),
        })
    }

    fn send(&mut self, body: Option<String>) {
        if let Some(body) = body {
            self.flushed = Instant::now();
            // The task ends when the channel does, not before.
            let _ = self.bodies.send(body);
        }
    }
}

/// Posts one body after the other. A failure loses that body; the first one is remembered.
async fn ship(
    fetcher: Fetcher,
    url: Uri,
    mut queue: mpsc::UnboundedReceiver<String>,
) -> Option<String> {
    let mut first = None;
    while let Some(body) = queue.recv().await {
        let failure = match fetcher.post_json(url.clone(), body, REQUEST_TIME).await {
            Ok(status) if status.is_success() => continue,
            Ok(status) => {
                let reason = status.canonical_reason().unwrap_or_default();
                format!("HTTP {} {reason}", status.as_u16())
            }
            Err(error) => error.to_string(),
        };
        first.get_or_insert_with(|| failure.trim_end().to_owned());
    }
    first
}

/// A random UUID.
fn run_id() -> String {
    let random = || getrandom::u64().unwrap_or_default();
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::run_id;

    #[test]
    fn a_run_id_is_a_random_uuid() {
        let id = run_id();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(
            id[14..].starts_with('4') && "89ab".contains(&id[19..20]),
            "{id}"
        );
        assert_ne!(id, run_id());
    }
}
