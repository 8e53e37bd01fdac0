"""Reads llvm-cov's lcov from standard input and prints the lines reached of each module: coverage.py ROOT.

Lines of tests do not count.
"""

import collections
import pathlib
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
PROXY = "crates/proxy/src"
MODULES = {
    "yaml": ["crates/text/src/yaml"],
    "erb": ["crates/text/src/erb"],
    "dotenv": ["crates/text/src/dotenv", "crates/text/src/shell/split.rs"],
    "load": ["crates/config/src"],
    "routing": [f"{PROXY}/services/router.rs", f"{PROXY}/request/redirect.rs", f"{PROXY}/request/request_path.rs"],
    "headers": [f"{PROXY}/upstream/request_head.rs", f"{PROXY}/request/upgrade.rs", f"{PROXY}/request/cookie.rs", f"{PROXY}/request/affinity.rs"],
    "response": [f"{PROXY}/upstream/response_head.rs", f"{PROXY}/upstream/body_decoder.rs", f"{PROXY}/request/cookie_scope.rs"],
    "chunks": [f"{PROXY}/request/gunzip.rs", f"{PROXY}/request/sniff.rs"],
    "state": ["crates/proxy-api/src/state.rs"],
    "introduction": [f"{PROXY}/downstream/proxy_protocol.rs"],
    "http1": [f"{PROXY}/downstream/connection.rs", f"{PROXY}/request/pipeline.rs", f"{PROXY}/request/forward.rs", f"{PROXY}/request/gather.rs", f"{PROXY}/upstream/request_body.rs"],
    "h2": [f"{PROXY}/downstream/http2.rs", f"{PROXY}/downstream/multiplexed.rs", f"{PROXY}/downstream/patience.rs"],
    "h3_frames": [f"{PROXY}/downstream/http3/frame_gate.rs"],
}
LEAST = 80.0


def tests_from(path):
    """The first line of a file's tests."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "mod tests {":
            return number
    return sys.maxsize


# Of each file, how often each line was reached. A file is told of once a program that it is in.
reached = collections.defaultdict(collections.Counter)
for record in sys.stdin.read().split("end_of_record"):
    file = None
    for line in record.split():
        key, _, value = line.partition(":")
        if key == "SF":
            file = pathlib.Path(value).resolve()
        elif key == "DA" and file:
            number, count = value.split(",")[:2]
            reached[file][int(number)] += int(count)

low = False
for module, folders in MODULES.items():
    covered = total = 0
    for file, lines in reached.items():
        if not any(file.is_relative_to(ROOT / folder) for folder in folders) or "json_schema" in str(file):
            continue
        end = tests_from(file)
        counts = [count for number, count in lines.items() if number < end]
        covered += sum(count > 0 for count in counts)
        total += len(counts)
    part = 100.0 * covered / max(total, 1)
    low |= part < LEAST
    print(f"{module:12} {covered:6} of {total:6} lines  {part:5.1f} %")
sys.exit(1 if low else 0)
