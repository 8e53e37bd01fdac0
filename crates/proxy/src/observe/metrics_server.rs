//! The metrics port: answers any request with the metrics of all cores and those of the process. Plain HTTP, on
//! the control thread, so that scraping takes nothing from the cores but a short lock.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::cores::clock::unix_nanos_now;
use crate::observe::metrics::Metrics;

/// The text format.
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
/// A scraper that does not finish its request in time is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Linux counts CPU time in hundredths towards programs, whatever it does inside.
const TICKS_A_SECOND: f64 = 100.0;

/// Answers scrapes for ever.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let started = unix_nanos_now() / 1_000_000_000;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely; asking again at once would only burn time.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(request.headers(), &metrics, started);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut builder = http1::Builder::new();
            builder
                .title_case_headers(true)
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE);
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn respond(headers: &HeaderMap, metrics: &Metrics, started: u64) -> Response<Full<Bytes>> {
    let mut text = metrics.render();
    push_process(&mut text, started);
    let packed = accepts_gzip(headers)
        .then(|| gzip(text.as_bytes()))
        .flatten();
    let mut response = Response::new(Full::default());
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
    answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if packed.is_some() {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = Full::from(packed.unwrap_or_else(|| text.into_bytes()));
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            name.eq_ignore_ascii_case("gzip") && parts.all(|weight| weight != "q=0")
        })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// What every Prometheus client says of its process, as far as the system tells.
fn push_process(out: &mut String, started: u64) {
    let mut put = |name: &str, kind: &str, help: &str, value: f64| {
        let _ = writeln!(
            out,
            "# HELP process_{name} {help}\n# TYPE process_{name} {kind}\nprocess_{name} {value}"
        );
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "the format has floating-point numbers only"
    )]
    let number = |value: u64| value as f64;
    if let Some(ticks) = cpu_ticks() {
        put(
            "cpu_seconds_total",
            "counter",
            "CPU time used, in seconds.",
            number(ticks) / TICKS_A_SECOND,
        );
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        put(
            "open_fds",
            "gauge",
            "Open file descriptors.",
            number(open.count() as u64),
        );
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        put(
            "max_fds",
            "gauge",
            "Most file descriptors that may be open.",
            number(most),
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (key, name, help) in [
        (
            "VmSize:",
            "virtual_memory_bytes",
            "Size of the address space in bytes.",
        ),
        ("VmRSS:", "resident_memory_bytes", "Memory in use in bytes."),
    ] {
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|text| text.parse::<u64>().ok());
        if let Some(kilobytes) = kilobytes {
            put(name, "gauge", help, number(kilobytes) * 1024.0);
        }
    }
    put(
        "start_time_seconds",
        "gauge",
        "Start of the process in seconds since 1970.",
        number(started),
    );
}

/// User and system time so far.
fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may contain anything, a parenthesis too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_when_it_is_wanted() {
        for (value, wanted) in [
            ("gzip", true),
            ("identity, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("deflate", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), wanted, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn the_process_is_described() {
        let mut text = String::new();
        push_process(&mut text, 7);
        for name in ["cpu_seconds_total", "open_fds", "resident_memory_bytes"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name}");
        }
        assert!(text.ends_with("process_start_time_seconds 7\n"));
    }
}
