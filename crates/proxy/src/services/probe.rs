//! One health check: a GET that follows redirects, and what came of it.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use dhow_proxy_api::{HealthCheckOptions, TargetAddress};
use http::{Method, StatusCode};

use crate::services::health::Outcome;
use crate::upstream::{Addresses, Connection, Decoded, ResponseHead, parse_response_head};

const MOST_REDIRECTS: usize = 10;

/// The address that is probed, for the log.
pub(crate) fn url(target: &TargetAddress, health: &HealthCheckOptions) -> String {
    let (authority, _) = authority(target, health);
    format!("http://{authority}{}", clean_path(&health.path))
}

/// Probes once; the caller limits the time.
pub(crate) async fn probe(target: &TargetAddress, health: &HealthCheckOptions) -> Outcome {
    let (mut authority, mut port) = authority(target, health);
    let mut name = target.host().to_owned();
    let mut path = clean_path(&health.path);
    let mut host = if health.host.is_empty() {
        authority.clone()
    } else {
        health.host.clone()
    };
    let mut redirects = Vec::new();
    loop {
        let (status, location) = match get(&name, port, &host, &path).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(describe(&error)),
        };
        if status.is_success() {
            return Outcome::Healthy;
        }
        let Some(location) = location.filter(|_| is_redirect(status)) else {
            return Outcome::Status {
                status: status.as_u16(),
                redirects,
            };
        };
        redirects.push(location.clone());
        if redirects.len() > MOST_REDIRECTS {
            return Outcome::Failed("stopped after 10 redirects".to_owned());
        }
        let Some(next) = follow(&location, &authority, &path) else {
            return Outcome::Status {
                status: status.as_u16(),
                redirects,
            };
        };
        // A relative redirect keeps the Host that was asked for.
        if next.authority != authority {
            host = next.authority.clone();
        }
        Next {
            name,
            port,
            authority,
            path,
        } = next;
    }
}

struct Next {
    name: String,
    port: u16,
    authority: String,
    path: String,
}

fn authority(target: &TargetAddress, health: &HealthCheckOptions) -> (String, u16) {
    match u16::try_from(health.port) {
        Ok(port) if port > 0 => (format!("{}:{port}", target.host()), port),
        _ => (target.as_str().to_owned(), target.port()),
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads; `None` for what cannot be followed over plain HTTP.
fn follow(location: &str, authority: &str, base: &str) -> Option<Next> {
    let (authority, path) = if let Some(rest) = location
        .strip_prefix("http://")
        .or_else(|| location.strip_prefix("//"))
    {
        match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at_checked(end)?,
            None => (rest, "/"),
        }
    } else if location.contains("://") {
        return None;
    } else {
        (authority, location)
    };
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        // Relative to the folder of the path that answered.
        let folder = base
            .rfind('/')
            .and_then(|slash| base.get(..=slash))
            .unwrap_or("/");
        format!("{folder}{path}")
    };
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()?),
        None => (authority, 80),
    };
    Some(Next {
        name: name.to_owned(),
        port,
        authority: authority.to_owned(),
        path,
    })
}

async fn get(
    name: &str,
    port: u16,
    host: &str,
    path: &str,
) -> io::Result<(StatusCode, Option<String>)> {
    let addresses = Addresses::new(name, port).resolve().await?;
    let mut connection = Connection::open(&addresses, Duration::from_secs(60)).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kamal-proxy\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    );
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        let size = poll_fn(|cx| connection.poll_write(cx, rest)).await?;
        rest = rest.get(size..).unwrap_or_default();
    }
    let mut head = read_head(&mut connection).await?;
    read_body(&mut connection, &mut head).await?;
    let location = head.headers.get(http::header::LOCATION);
    Ok((
        head.status,
        location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    ))
}

async fn read_head(connection: &mut Connection) -> io::Result<ResponseHead> {
    loop {
        match parse_response_head(&mut connection.read, &Method::GET) {
            Ok(Some(head)) if head.status.is_informational() => continue,
            Ok(Some(head)) => return Ok(head),
            Ok(None) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        if poll_fn(|cx| connection.poll_fill(cx, false)).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "EOF"));
        }
    }
}

async fn read_body(connection: &mut Connection, head: &mut ResponseHead) -> io::Result<()> {
    loop {
        match head
            .body
            .decode(&mut connection.read)
            .map_err(io::Error::other)?
        {
            Decoded::End => return Ok(()),
            Decoded::Data(_) | Decoded::Trailers(_) => continue,
            Decoded::NeedMore => {}
        }
        if poll_fn(|cx| connection.poll_fill(cx, false)).await? == 0 {
            return if head.body.may_end_at_eof() {
                Ok(())
            } else {
                Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "unexpected EOF",
                ))
            };
        }
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "request timed out".to_owned(),
        _ => crate::process::system_error::text(error),
    }
}

/// The path joined onto `/` and cleaned: no empty, `.` or `..` segments; `?` and `#` are part of it.
fn clean_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut out = format!("/{}", segments.join("/"));
    if path.ends_with('/') && out.len() > 1 {
        out.push('/');
    }
    let mut escaped = String::with_capacity(out.len());
    for c in out.chars() {
        match c {
            '?' => escaped.push_str("%3F"),
            '#' => escaped.push_str("%23"),
            ' ' => escaped.push_str("%20"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 75
    #[test]
    fn paths_are_cleaned() {
        for (path, clean) in [
            ("/up", "/up"),
            ("up", "/up"),
            ("", "/"),
            ("/a//b/../c/", "/a/c/"),
            ("/up?x=1", "/up%3Fx=1"),
        ] {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }

    /// parity: proxy 72
    #[test]
    fn the_url_names_the_probed_port() {
        let target = TargetAddress::parse("web").unwrap();
        let mut health = HealthCheckOptions {
            path: "/up".into(),
            ..HealthCheckOptions::default()
        };
        assert_eq!(url(&target, &health), "http://web/up");
        health.port = 9000;
        assert_eq!(url(&target, &health), "http://web:9000/up");
        assert_eq!(
            url(&TargetAddress::parse("web:3000").unwrap(), &health),
            "http://web:9000/up"
        );
    }

    #[test]
    fn redirects_are_resolved() {
        let to = |location| {
            follow(location, "web:80", "/up/x")
                .map(|next| format!("{}:{} {}", next.name, next.port, next.path))
        };
        assert_eq!(to("/login?a").unwrap(), "web:80 /login?a");
        assert_eq!(to("http://other/x").unwrap(), "other:80 /x");
        assert_eq!(to("http://other:81").unwrap(), "other:81 /");
        assert_eq!(to("y").unwrap(), "web:80 /up/y");
        assert_eq!(to("https://other/x"), None);
    }
}
