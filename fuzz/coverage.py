"""Reads llvm-cov's summary from standard input and prints the lines reached of each module: coverage.py ROOT."""

import json
import pathlib
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
MODULES = {
    "yaml": ["crates/text/src/yaml"],
    "erb": ["crates/text/src/erb"],
    "dotenv": ["crates/text/src/dotenv", "crates/text/src/shell/split.rs"],
    "load": ["crates/config/src"],
}
LEAST = 80.0

files = json.load(sys.stdin)["data"][0]["files"]
low = False
for module, folders in MODULES.items():
    reached = total = 0
    for file in files:
        path = pathlib.Path(file["filename"]).resolve()
        if any(path.is_relative_to(ROOT / folder) for folder in folders) and "json_schema" not in str(path):
            reached += file["summary"]["lines"]["covered"]
            total += file["summary"]["lines"]["count"]
    part = 100.0 * reached / max(total, 1)
    low |= part < LEAST
    print(f"{module:8} {reached:6} of {total:6} lines  {part:5.1f} %")
sys.exit(1 if low else 0)
