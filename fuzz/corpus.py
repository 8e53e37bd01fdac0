"""Between a fuzzer's folder of files and what is kept of it.

corpus.py seeds TARGET FOLDER    writes the project's vectors into the folder
corpus.py unpack TARGET FOLDER   writes the kept corpus into the folder
corpus.py pack TARGET FOLDER     keeps the folder's files: one JSON string a line, in fuzz/corpus/TARGET.jsonl

Bytes that are no UTF-8 are kept as U+FFFD, which is what the targets make of them too.
"""

import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def cases(name, *path):
    found = json.loads((ROOT / "vectors" / name / "cases.json").read_text())
    for key in path:
        found = found[key]
    return found


def deploy_files():
    for folder in ("vectors/config/good", "vectors/config/bad", "crates/config/tests/files"):
        for file in sorted((ROOT / folder).glob("*.yml")):
            name = file.name
            if ".staging." in name or ".kamal." in name or ".dump." in name:
                continue
            overlay = file.with_name(name.replace(".yml", ".staging.yml"))
            text = file.read_text()
            yield text + ("\n=====\n" + overlay.read_text() if overlay.exists() else "")
    least = (
        "service: app\nimage: dhh/app\nregistry: {username: dhh, password: secret}\n"
        "builder: {arch: amd64}\nservers: [1.1.1.1]\n"
    )
    for line in (ROOT / "crates/config/tests/vectors/kamal.jsonl").read_text().splitlines():
        case = json.loads(line)
        text = case.get("base") or least + case["more"]
        yield text + ("\n=====\n" + case["overlay"] if case.get("overlay") else "")
    for page in sorted((ROOT / "crates/config/src").glob("**/*.yml")):
        yield least + page.read_text()


SEEDS = {
    "yaml": lambda: [case["yaml"] for case in cases("psych")] + list(deploy_files()),
    "erb": lambda: [case["template"] for case in cases("erb", "cases")],
    "dotenv": lambda: [case["text"] for case in cases("dotenv", "cases")],
    "load": lambda: list(deploy_files()),
}


def write(texts, folder):
    for text in texts:
        data = text.encode()
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


verb, target, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
kept = ROOT / "fuzz" / "corpus" / f"{target}.jsonl"
if verb == "seeds":
    # Targets without vectors begin with what is kept.
    write(SEEDS.get(target, list)(), folder)
elif verb == "unpack":
    if kept.exists():
        write(map(json.loads, kept.read_text().splitlines()), folder)
elif verb == "pack":
    texts = {file.read_bytes().decode(errors="replace") for file in folder.iterdir()}
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("".join(json.dumps(text, ensure_ascii=True) + "\n" for text in sorted(texts, key=lambda t: (len(t), t))))
else:
    sys.exit(__doc__)
