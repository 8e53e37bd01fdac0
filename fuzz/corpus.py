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


def routes():
    yield "a.com /\n*.com /app,/app/v2\n,b.com /\nx.a.com:80 /app/v2/%2F?q"
    yield " \nA.com /x/%C3%A9 y"
    yield "[::1]:80 /"


def requests():
    head = "GET /a HTTP/1.1\r\nHost: a\r\n"
    for more in (
        "Connection: keep-alive, x-own, upgrade\r\nX-Own: 1\r\nUpgrade: websocket\r\n",
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nForwarded: for=x\r\nX-Kamal-Target: t\r\n",
        "TE: trailers, gzip\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Cookie: kamal-rollout=me; kamal-writer=1700000000001\r\nX-Request-Id: i\r\nX-Request-Start: t=1\r\nX-Client-Ip: ::2\r\n",
        "Proxy-Connection: x\r\nKeep-Alive: 5\r\nProxy-Authorization: b\r\nAccept-Encoding: br\r\nRange: bytes=0-1\r\n",
    ):
        for switches in "\0\x0f\x1f?Z":
            yield switches + head + more + "\r\n"


def responses():
    for body in (
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=1; Path=/x; Domain=a.com\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;e=1\r\nhello\r\n0\r\nX: 1\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\n\r\nuntil the end",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
    ):
        for switches in "\0\1\2\x0f":
            yield switches + body


def states():
    yield (
        '[{"name":"a","options":{"hosts":["x"],"path_prefixes":["/"],"writer_affinity_timeout":1000},"active_targets":["w:80"],'
        '"pause_controller":null,"rollout_targets":["r"],'
        '"rollout_controller":{"percentage":5,"percentage_split_point":1.5,"allowlist":null}},{"name":"b"},5]'
    )
    yield '[{"name":"a","hosts":["x"],"active_target":"w:80","tls":true},]'
    yield '[{"name":"a","pause_controller":{"state":2,"stop_message":"m","fail_after":30000000000}}'


SEEDS = {
    "routing": lambda: list(routes()),
    "headers": lambda: list(requests()),
    "response": lambda: list(responses()),
    "chunks": lambda: ["\2" + text for text in ("5;e=1\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n", "0\r\n\r\n", "1\r\n<\r\n")],
    "state": lambda: list(states()),
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
