//! Where `output` of the deploy file sends logs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::world::World;

const ONE: &str = "servers: [127.0.0.1]\n";

/// The log files of the app's `log` folder: names and texts.
fn files(world: &World) -> Vec<(String, String)> {
    let Ok(folder) = std::fs::read_dir(world.path("app/log")) else {
        return Vec::new();
    };
    let mut files: Vec<(String, String)> = folder
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a text");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// A name without its time, which must be one.
#[track_caller]
fn without_time(name: &str) -> &str {
    let (time, rest) = name.split_at(19);
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00-00-00", "{name}");
    rest
}

#[test]
fn config_item_18_08_a_log_file() {
    let world = World::new(&format!("{ONE}output: {{ file: {{ path: log/ }} }}\n"));
    let told = world.succeeds(&["prune", "images"]);
    let all = files(&world);
    let [(name, text)] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(without_time(name), "_prune_images.log");
    assert_eq!(
        told.lines().last(),
        Some(format!("Logs written to log/{name}").as_str())
    );
    assert!(
        text.contains(" DEBUG ")
            && text.contains("docker image prune")
            && text.contains("app-audit.log"),
        "every level is in it:\n{text}"
    );
    let last = text.lines().last().unwrap_or_default();
    let seconds = last
        .strip_prefix("# Completed in ")
        .and_then(|rest| rest.strip_suffix('s'));
    assert!(seconds.is_some_and(|s| s.parse::<f64>().is_ok()), "{last}");

    // Looking at things leaves no log.
    world.succeeds(&["details"]);
    world.succeeds(&["prune", "images", "--dry-run"]);
    assert_eq!(files(&world).len(), 1);
}

#[test]
fn config_item_18_08_a_failure_and_a_destination_in_the_log_file() {
    let world = World::new(&format!("{ONE}output: {{ file: {{ path: log }} }}\n"));
    world.write("app/config/deploy.st.yml", "retain_containers: 3\n");
    world.docker_does(1, "echo no t0ken >&2; exit 3\n");
    let ended = world.dhow(&["prune", "images", "-d", "st", "-q"]);
    assert_eq!(ended.code, 1);
    let all = files(&world);
    let [(name, text)] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(without_time(name), "_st_prune_images.log");
    let failed = text
        .lines()
        .find(|line| line.starts_with("# FAILED: SSHKit::Command::Failed: "));
    assert!(failed.is_some(), "{text}");
    assert!(text.trim_end().ends_with("s)"), "{text}");
}

/// One file for a command that is made of others; a place that can't be written to is told and does no harm.
#[test]
fn config_item_18_10_once_and_never_in_the_way() {
    let text = "servers: [127.0.0.1, 127.0.0.2]\naccessories: { db: { image: 'mysql:8', host: 127.0.0.2 } }\n";
    let world = World::new(&format!("{text}output: {{ file: {{ path: log }} }}\n"));
    world.succeeds(&["accessory", "reboot", "db"]);
    world.succeeds(&["remove", "-y"]);
    let names: Vec<String> = files(&world)
        .iter()
        .map(|(name, _)| without_time(name).to_owned())
        .collect();
    assert_eq!(names, ["_accessory_reboot.log", "_remove.log"]);

    let world = World::new(&format!(
        "{ONE}output: {{ file: {{ path: config/deploy.yml/log }}, otel: {{ endpoint: 'not a url' }} }}\n"
    ));
    let ended = world.dhow(&["prune", "images"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("Output logger setup failed: ").count(),
        2,
        "{}",
        ended.stderr
    );
    assert!(!ended.text().contains("Logs "), "{}", ended.text());
    assert!(
        world
            .calls(1)
            .iter()
            .any(|call| call.contains("image prune"))
    );
}

/// What a collector got: request line and body of each request.
type Got = Arc<Mutex<Vec<(String, Value)>>>;

/// A collector that answers every request with this status; gives its address.
fn collector(status: &'static str) -> (String, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let got = Got::default();
    let all = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut lines = Vec::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                let read = stream.read_line(&mut line).expect("a line");
                assert!(read > 0, "a request that ends in its head: {lines:?}");
                if line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                lines.push(line.trim_end().to_owned());
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let json = serde_json::from_slice(&body).expect("JSON");
            let first = lines.first().cloned().unwrap_or_default();
            all.lock().expect("nobody panicked").push((first, json));
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream
                .get_mut()
                .write_all(answer.as_bytes())
                .expect("an answer");
        }
    });
    (address, got)
}

fn attributes(of: &Value) -> Vec<String> {
    let pairs = of["attributes"].as_array().into_iter().flatten();
    pairs
        .map(|pair| {
            let value = pair["value"].as_object().and_then(|v| v.values().next());
            let text = value.map_or_else(String::new, |v| match v.as_str() {
                Some(text) => text.to_owned(),
                None => v.to_string(),
            });
            format!("{}={text}", pair["key"].as_str().unwrap_or_default())
        })
        .collect()
}

#[test]
fn config_item_18_09_logs_for_a_collector() {
    let (address, got) = collector("200 OK");
    let endpoint = format!("http://{address}/");
    let world = World::new(&format!(
        "{ONE}output: {{ otel: {{ endpoint: '{endpoint}' }} }}\n"
    ));
    let told = world.succeeds(&["prune", "images"]);
    assert_eq!(
        told.lines().last(),
        Some(format!("Logs sent to {endpoint}").as_str())
    );
    let got = got.lock().unwrap();
    let [(request, body)] = got.as_slice() else {
        panic!("{got:?}");
    };
    assert_eq!(request, "POST /v1/logs HTTP/1.1", "one slash");
    let logs = &body["resourceLogs"][0];
    let resource = attributes(&logs["resource"]);
    for known in [
        "service.name=kamal",
        "service.version=2.12.0",
        "kamal.deploy_version=v7",
        "service.namespace=app",
    ] {
        assert!(resource.iter().any(|pair| pair == known), "{resource:?}");
    }
    assert!(
        resource
            .iter()
            .any(|pair| pair.starts_with("kamal.run_id=")),
        "{resource:?}"
    );
    let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
    let events: Vec<&str> = records
        .iter()
        .filter_map(|record| record["eventName"].as_str())
        .collect();
    assert_eq!(events, ["kamal.start", "kamal.complete"]);
    assert!(
        attributes(&records[0]).contains(&"kamal.command=prune images".to_owned()),
        "{}",
        records[0]
    );
    let ran = records.iter().find(|record| {
        record["body"]["stringValue"]
            .as_str()
            .is_some_and(|text| text.contains("Running docker image prune"))
    });
    let ran = ran.expect("what ran is told");
    assert!(attributes(ran).contains(&"server.address=127.0.0.1".to_owned()));
}

/// Told once, at the end, and the command ends as it would without.
#[test]
fn config_item_18_09_a_collector_that_refuses() {
    let (address, got) = collector("503 Service Unavailable");
    let endpoint = format!("http://{address}");
    let world = World::new(&format!(
        "{ONE}output: {{ otel: {{ endpoint: '{endpoint}' }} }}\n"
    ));
    // More than one batch.
    world.docker_does(1, "[ -e told ] || { touch told; seq 110; }\n");
    let ended = world.dhow(&["prune", "images"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(got.lock().unwrap().len() >= 2);
    assert_eq!(
        ended.stderr.trim_end(),
        "OTel log shipping failed: HTTP 503 Service Unavailable"
    );
    assert!(!ended.text().contains("Logs sent"), "{}", ended.text());
}
