//! The fuzzers' promises, held by plain tests: over the kept corpora, and over damage that is the same in every run.
//! `fuzz/run` looks for more.

#[path = "../../../../fuzz/replay.rs"]
mod kept;

use dhow_proxy_api::{StateEntry, read_state};

use super::*;

/// Name, what it does, and how many damaged copies it gets; those that open sockets take longer.
type Target = (&'static str, fn(&[u8]), usize);

const TARGETS: [Target; 9] = [
    ("routing", routing, 10_000),
    ("headers", headers, 10_000),
    ("response", response, 10_000),
    ("chunks", chunks, 10_000),
    ("state", state, 10_000),
    ("introduction", introduction, 10_000),
    ("h3_frames", h3_frames, 10_000),
    ("http1", http1, 500),
    ("h2", h2, 500),
];

/// Each character of a kept line is one byte.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let byte = |c: char| u8::try_from(c).unwrap();
    kept::corpus(target, |line| line.chars().map(byte).collect())
}

#[test]
fn corpora_are_survived() {
    for (name, target, _) in TARGETS {
        for data in corpus(name) {
            target(&data);
        }
    }
}

#[test]
fn damaged_corpora_are_survived() {
    for (name, target, count) in TARGETS {
        for data in kept::damaged(&corpus(name), count) {
            target(&data);
        }
    }
}

/// parity: proxy 33, D7
#[test]
fn damaged_state_files_are_read_as_far_as_they_go() {
    let (mut read, mut damaged) = (0, 0);
    for data in kept::damaged(&corpus("state"), 10_000) {
        for entry in read_state(&data).unwrap_or_default() {
            match entry {
                StateEntry::Service(_) => read += 1,
                StateEntry::Damaged { .. } => damaged += 1,
            }
        }
    }
    // Otherwise the damage would be too great to show anything.
    assert!(read > 500 && damaged > 500, "{read} and {damaged}");
}
