//! Requests that are malformed, or that two parsers might read in two ways. Each is sent on a connection of its
//! own, with a second request glued on that must never reach the target by itself; the answer, and what the
//! target saw, must be as the table says.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Origin, Proxy, get, reply};

/// What must come of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is answered with this status, and the target sees nothing of it.
    Refused(u16),
    /// The connection is closed without a word, since nothing would understand it.
    Dropped,
    /// The target sees exactly this one request, and its answer comes back.
    Passed,
    /// The target sees it and the request that follows, both whole.
    BothPassed,
}

use Fate::{BothPassed, Dropped, Passed, Refused};

/// What follows every request: a request that must only be seen where the one before is complete.
const NEXT: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const TABLE: &[(&str, &str, Fate)] = &[
    // Request line.
    ("no request line", "\x01\x02\x03\r\n\r\n", Refused(400)),
    ("one word", "GET\r\nHost: a\r\n\r\n", Refused(400)),
    ("no version", "GET /\r\nHost: a\r\n\r\n", Refused(400)),
    (
        "version 2.0",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "version 1.2",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "version 0.9 by name",
        "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "version in small letters",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "version with more digits",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "words after the version",
        "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a space in the target",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a tab as separator",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "two spaces before the target",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a space before the method",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "NUL in the target",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a control character in the target",
        "GET /\x07 HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "DEL in the target",
        "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare CR in the target",
        "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "no slash before the path",
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(404),
    ),
    (
        "an empty target",
        "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "a method that is no token",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "NUL in the method",
        "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "the start of HTTP/2",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Dropped,
    ),
    (
        "a TLS greeting",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        Refused(400),
    ),
    // Host.
    ("no host", "GET / HTTP/1.1\r\n\r\n", Refused(400)),
    (
        "two hosts",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        Refused(400),
    ),
    (
        "the same host twice",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "another host in the target",
        "GET http://a/abs HTTP/1.1\r\nHost: b\r\n\r\n",
        BothPassed,
    ),
    (
        "another service's host in the target",
        "GET http://b/abs HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(404),
    ),
    // Headers.
    (
        "a space before the colon",
        "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        Refused(400),
    ),
    (
        "a tab before the colon",
        "GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n",
        Refused(400),
    ),
    (
        "a space before the length's colon",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
        Refused(400),
    ),
    (
        "a space before the encoding's colon",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        Refused(400),
    ),
    (
        "a space in a name",
        "GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
        Refused(400),
    ),
    (
        "no name",
        "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
        Refused(400),
    ),
    (
        "no colon",
        "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
        Refused(400),
    ),
    (
        "a folded line",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        Refused(400),
    ),
    (
        "a folded encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        Refused(400),
    ),
    (
        "a space before the first header",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        Refused(400),
    ),
    (
        "NUL in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        Refused(400),
    ),
    (
        "NUL in a name",
        "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare CR in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare CR that begins a header",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 5\r\n\r\n",
        Refused(400),
    ),
    (
        "a control character in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
        Refused(400),
    ),
    (
        "DEL in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
        Refused(400),
    ),
    (
        "a name that is no token",
        "GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n",
        Refused(400),
    ),
    (
        "a name in brackets",
        "GET / HTTP/1.1\r\nHost: a\r\n[X]: z\r\n\r\n",
        Refused(400),
    ),
    // Length.
    (
        "two lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        Refused(400),
    ),
    (
        "two lengths in one",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nxy",
        Refused(400),
    ),
    (
        "a negative length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        Refused(400),
    ),
    (
        "a length with a plus",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        Refused(400),
    ),
    (
        "a hexadecimal length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx",
        Refused(400),
    ),
    (
        "a length with a fraction",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1.0\r\n\r\nx",
        Refused(400),
    ),
    (
        "a length with a space inside",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\nx",
        Refused(400),
    ),
    (
        "a length beyond all numbers",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        Refused(400),
    ),
    (
        "an empty length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        Refused(400),
    ),
    // Encoding.
    (
        "an unknown encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        Refused(400),
    ),
    (
        "identity",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked, but not last",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked misspelt",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked with a vertical tab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked in quotes",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "length and encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Passed,
    ),
    (
        "encoding and length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        Passed,
    ),
    // Chunks.
    (
        "a size that is no number",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size with 0x",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a negative size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "an empty size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size beyond all numbers",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a chunk longer than its size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size that ends in LF alone",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a chunk that ends in LF alone",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare CR after the size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\rx\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a line end within an extension",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n",
        Refused(400),
    ),
    // Expectations.
    (
        "an unknown expectation",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n",
        Refused(417),
    ),
    // And what is fine, so that refusing everything would not do.
    ("plain", "GET /fine HTTP/1.1\r\nHost: a\r\n\r\n", BothPassed),
    (
        "an empty line before",
        "\r\nGET /fine HTTP/1.1\r\nHost: a\r\n\r\n",
        BothPassed,
    ),
    (
        "the same length twice",
        "POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        BothPassed,
    ),
    (
        "a length with zeros in front",
        "POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 001\r\n\r\nx",
        BothPassed,
    ),
    (
        "chunks with an extension",
        "POST /fine HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
        BothPassed,
    ),
    (
        "a body with GET",
        "GET /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        BothPassed,
    ),
    (
        "high bytes in a value",
        "GET /fine HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n",
        BothPassed,
    ),
    (
        "closing",
        "GET /fine HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        Passed,
    ),
    ("HTTP/1.0", "GET /fine HTTP/1.0\r\nHost: a\r\n\r\n", Passed),
];

/// Sends a request with the next glued on, and gives the statuses of all answers.
fn statuses(port: u16, request: &str) -> Vec<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream
        .write_all(format!("{request}{NEXT}").as_bytes())
        .unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| line.split_once("HTTP/1.")?.1.get(2..5)?.parse().ok())
        .collect()
}

/// parity: proxy 122, 125
#[test]
fn every_request_meets_its_fate() {
    assert!(TABLE.len() >= 60);
    let proxy = Proxy::start();
    let origin =
        Origin::start(|_, stream| reply(stream, "200 OK", &[("Content-Type", "a/b")], b"ok\n"));
    let mut wrong = Vec::new();
    for options in [&["--host=a"][..], &["--host=a", "--buffer-requests"]] {
        proxy.deploy("web", &origin.address, options);
        for (name, request, fate) in TABLE {
            let before = origin.seen().len();
            let found = statuses(proxy.http, request);
            std::thread::sleep(Duration::from_millis(2));
            let seen: Vec<_> = origin.seen().split_off(before);
            let whole = seen
                .iter()
                .filter(|seen| seen.path() != "/smuggled")
                .all(|seen| seen.body.len() <= 1);
            let smuggled = seen
                .iter()
                .filter(|seen| seen.path() == "/smuggled")
                .count();
            let passed = seen.len() - smuggled;
            let right = match fate {
                // A refusal may leave the connection open where the request was whole.
                Refused(status @ (404 | 417)) => {
                    found.first() == Some(status) && passed == 0 && smuggled <= 1
                }
                Refused(status) => found == [*status] && passed == 0 && smuggled == 0,
                Dropped => found.is_empty() && seen.is_empty(),
                Passed => found == [200] && (passed, smuggled) == (1, 0),
                BothPassed => found == [200, 200] && (passed, smuggled) == (1, 1),
            };
            if !right || !whole {
                wrong.push(format!(
                    "{name}: {fate:?} expected, got {found:?}, the target saw {:?}",
                    seen.iter().map(|seen| &seen.line).collect::<Vec<_>>()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(get(proxy.http, "a", "/").text(), "ok\n");
}
