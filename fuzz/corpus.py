"""Between a fuzzer's folder of files and what is kept of it.

corpus.py seeds TARGET FOLDER    writes the project's vectors into the folder
corpus.py unpack TARGET FOLDER   writes the kept corpus into the folder
corpus.py pack TARGET FOLDER     keeps the folder's files: one JSON string a line, in fuzz/corpus/TARGET.jsonl

Of the deploy file's targets, bytes that are no UTF-8 are kept as U+FFFD, which is what those make of them too. The proxy's targets read
bytes: each character of a kept string is one of them, up to U+00FF.
"""

import gzip
import hashlib
import json
import pathlib
import re
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


def chunked():
    for text in ("5;e=1\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n", "0\r\n\r\n", "1\r\n<\r\n"):
        yield "\2" + text
    packed = gzip.compress(b"hello, hello, hello", mtime=0)
    for data in (packed, packed + packed, gzip.compress(b"\0" * 5000, mtime=0)):
        yield "\3" + data.decode("latin-1")


def states():
    yield (
        '[{"name":"a","options":{"hosts":["x"],"path_prefixes":["/"],"writer_affinity_timeout":1000},"active_targets":["w:80"],'
        '"pause_controller":null,"rollout_targets":["r"],'
        '"rollout_controller":{"percentage":5,"percentage_split_point":1.5,"allowlist":null}},{"name":"b"},5]'
    )
    yield '[{"name":"a","hosts":["x"],"active_target":"w:80","tls":true},]'
    yield '[{"name":"a","pause_controller":{"state":2,"stop_message":"m","fail_after":30000000000}}'


def introductions():
    yield from ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET / ", "PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", "PROXY UNKNOWN x\r\n", "GET /")
    start = "\r\n\r\n\0\r\nQUIT\n"
    v4, v6 = "\xc0\0\2\7\xc6\x33\x64\1\xdc\4\1\xbb", "\x20\1" + "\0" * 34
    additions = "\1\0\2h2" "\5\0\3abc" "\xea\0\0"
    for head, block in (("\x21\x11", v4), ("\x21\x12", v4 + additions), ("\x21\x21", v6), ("\x21\x31", "s" * 216), ("\x20\0", ""), ("\x21\0", additions)):
        yield start + head + "\0" + chr(len(block)) + block + "GET /"


def conversations():
    end = "Host: a\r\n"
    for request in (
        f"GET / HTTP/1.1\r\n{end}\r\nGET /chunks HTTP/1.1\r\n{end}Connection: close\r\n\r\n",
        f"POST / HTTP/1.1\r\n{end}Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n",
        f"POST /spool/big HTTP/1.1\r\n{end}Content-Length: 90\r\n\r\n" + "x" * 90,
        f"PUT /hints HTTP/1.1\r\n{end}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        f"GET /switch HTTP/1.1\r\n{end}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes",
        f"GET /retry HTTP/1.0\r\n{end}\r\n",
        f"HEAD /close HTTP/1.1\r\n{end}\r\nGET /junk HTTP/1.1\r\n{end}\r\n",
        f"GET /stopped HTTP/1.1\r\n{end}\r\nGET /slow HTTP/1.1\r\n{end}\r\n",
    ):
        for switches in "\0\1\2\6":
            yield switches + request


def streams():
    for number in range(8):
        yield "\0" + chr(8 + number) + "\0"
        yield "\2" + chr(number) + "\0" "\x20\5hello" "\x28\0"
        # Trailers: HEADERS on stream 1 that end it.
        yield "\4" + chr(number) + "\0" "\x20\5hello" "\x41\5\1\x09\0\5x-sum\x011"
    yield "\0" "\1\7\x40\1a\1b" "\x30\xff" + "x" * 255 + "\x30\xff" + "y" * 255 + "\x28\0"
    yield "\0" "\x16\0" "\x48\0\0\4\0\0\1\0" "\x43\0\1\4\0\0\0\x08" "\x46\0\0\x0812345678" "\x47\0\0\x08\0\0\0\0\0\0\0\0"
    yield "\0" "\x44\0\0\6\0\4\0\0\0\0" "\x0b\0" "\x48\0\1\4\0\0\1\0"
    yield "\0" "\x18\0" "\x49\4\1\x0f\x40\6cookie\3a=1\x40\6cookie\3b=2"
    yield "\0" + "\x0e\0" "\x43\0\1\4\0\0\0\x08" * 5
    raw = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" "\0\0\0\4\0\0\0\0\0"
    yield "\x80" + raw + "\0\0\6\1\5\0\0\0\1\x82\x87\1\1a\x84"
    yield "\x80" + raw + "\0\0\x0a\1\5\0\0\0\1\x82\x87\x41\x8a\xa0\xe4\x1d\x13\x9d\x09\xb8\xf0\x1e\x07\x84"


def quic_streams():
    yield "\0\1\2ab\x21\3xyz\0\0\0\x40\3cde\x40\x5f\0\1\1t"
    yield "\1\0\4\2\6\0\x21\1x\7\1\0"
    yield "\3\2anything"
    yield "\0\0\xc0\0\0\xff\0\0\0\0x"
    yield "\0\1\x40\x65" + "h" * 101
    yield "\4\x40\x41\0"


SEEDS = {
    "introduction": lambda: list(introductions()),
    "http1": lambda: list(conversations()),
    "h2": lambda: list(streams()),
    "h3_frames": lambda: list(quic_streams()),
    "routing": lambda: list(routes()),
    "headers": lambda: list(requests()),
    "response": lambda: list(responses()),
    "chunks": lambda: list(chunked()),
    "state": lambda: list(states()),
    "yaml": lambda: [case["yaml"] for case in cases("psych")] + list(deploy_files()),
    "erb": lambda: [case["template"] for case in cases("erb", "cases")],
    "dotenv": lambda: [case["text"] for case in cases("dotenv", "cases")],
    "load": lambda: list(deploy_files()),
}


BYTES = {"routing", "headers", "response", "chunks", "state", "introduction", "http1", "h2", "h3_frames"}


def write(texts, folder):
    for text in texts:
        data = text.encode(ENCODING)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def line(text):
    """As JSON; of bytes, those that can be seen need no escape, which keeps the file small."""
    if target not in BYTES:
        return json.dumps(text)
    return re.sub("[\x7f-\xa0\xad]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(text, ensure_ascii=False))


verb, target, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
ENCODING = "latin-1" if target in BYTES else "utf-8"
kept = ROOT / "fuzz" / "corpus" / f"{target}.jsonl"
if verb == "seeds":
    # Targets without vectors begin with what is kept.
    write(SEEDS.get(target, list)(), folder)
elif verb == "unpack":
    if kept.exists():
        write(map(json.loads, kept.read_text(encoding="utf-8").splitlines()), folder)
elif verb == "pack":
    texts = {file.read_bytes().decode(ENCODING, errors="replace") for file in folder.iterdir()}
    kept.parent.mkdir(exist_ok=True)
    lines = (line(text) + "\n" for text in sorted(texts, key=lambda t: (len(t), t)))
    kept.write_text("".join(lines), encoding="utf-8")
else:
    sys.exit(__doc__)
