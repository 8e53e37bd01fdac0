"""kamal-proxy and dhow's proxy in turn on one state folder: beside.py KAMAL_PROXY DHOW

kamal-proxy serves, dhow's proxy takes its place, changes services, and kamal-proxy comes back. Compared are `list`, the state file, answers
as clients and as targets see them, metrics and the access log. Prints what differs and ends with 1, but for what is different on purpose:
the text of error pages, and hosts in capital letters, which kamal-proxy does not find.
"""

import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import socket
import sys
import tempfile
import threading
import time
import urllib.request

CERT = pathlib.Path(__file__).resolve().parents[2] / "crates/proxy/tests/sockets/a.com"
ON_PURPOSE = {("A.TEST", "/x%2Fy?a;b")}
FLAGS = ["--deploy-timeout", "10s", "--drain-timeout", "2s", "--health-check-path", "/up"]
# host, path, over TLS, cookie
REQUESTS = [
    ("a.test", "/", False, None),
    ("a.test", "/x%2Fy?a;b", False, None),
    ("A.TEST", "/x%2Fy?a;b", False, None),
    ("x.wild.test", "/", False, None),
    ("none.test", "/", False, None),
    ("a.test", "/api", False, None),
    ("a.test", "/api/v1?x", False, None),
    ("paused.test", "/", False, None),
    ("stopped.test", "/up", False, None),
    ("stopped.test", "/", False, None),
    ("split.test", "/", False, None),
    ("split.test", "/", False, "kamal-rollout=me"),
    ("readers.test", "/", False, None),
    ("www.canon.test", "/q?x=1", False, None),
    ("a.com", "/s", True, None),
    ("a.com", "/s", False, None),
]


class Target(http.server.BaseHTTPRequestHandler):
    """Answers with what it received."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        made = ("x-request-id", "x-request-start")
        lines = sorted(f"{name}: {value}" for name, value in self.headers.items() if name.lower() not in made)
        body = "\n".join([f"{self.server.called} {self.path}", *lines]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def target(called):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    server.called = called
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Site:
    """A state folder, its targets, and whichever proxy serves there."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ("home", "run", "tmp"):
            (self.folder / name).mkdir()
        self.http, self.https, self.metrics = free_port(), free_port(), free_port()
        self.targets = {name: target(name) for name in ("one", "two", "reader", "api", "split", "tls")}
        self.env = {
            "HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": os.environ["PATH"],
        }

    def start(self, program):
        """Starts a proxy; its log begins anew."""
        self.program = program
        ports = zip(("--http-port", "--https-port", "--metrics-port"), (self.http, self.https, self.metrics))
        arguments = [str(word) for pair in ports for word in pair]
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen([program, "run", *arguments], env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while subprocess.run([program, "list"], env=self.env, capture_output=True).returncode:
            if time.monotonic() > deadline:
                sys.exit(f"`{program}` does not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments], env=self.env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"`{self.program} {' '.join(arguments)}`: {done.stderr}")
        return done.stdout

    def deploy(self, service, called, *more):
        self.run("deploy", service, "--target", self.targets[called], *FLAGS, *more)

    def state(self):
        return (self.folder / "home/.config/kamal-proxy/kamal-proxy.state").read_text()

    def ask(self, host, path, tls, cookie):
        connection = http.client.HTTPConnection("127.0.0.1", self.http)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", self.https)), server_hostname=host)
        connection.request("GET", path, headers={"Host": host} | ({"Cookie": cookie} if cookie else {}))
        answer = connection.getresponse()
        body = answer.read().decode()
        headers = sorted((name.lower(), value) for name, value in answer.getheaders() if name.lower() != "date")
        if answer.status >= 400:
            # An error page: its text, and so its length, is each proxy's own.
            headers = [pair for pair in headers if pair[0] not in ("content-length", "transfer-encoding")]
            body = ""
        return answer.status, headers, body

    def seen(self):
        """Everything that can be seen of the proxy that runs."""
        seen = {f"{host}{path}, cookie {cookie}": self.ask(host, path, tls, cookie) for host, path, tls, cookie in REQUESTS
                if (host, path) not in ON_PURPOSE}
        seen["list"] = self.run("list")
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics").read().decode()
        metric = re.compile(r"^(kamal\w+?(?:_total|_count|_flight))(\{.*\}) (\S+)$", re.M)
        seen["metrics"] = sorted(metric.findall(text))
        seen["metrics' names"] = sorted({name for name in re.findall(r"^kamal\w+", text, re.M)})
        return seen

    def log(self):
        """Lines of the access log in any order (each core writes its own), without what is never the same twice."""
        each = ("time", "request_id", "duration", "client_port", "resp_content_length")
        lines = [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]
        lines = [line for line in lines if line["msg"] == "Request"]
        return sorted(json.dumps({key: type(value).__name__ if key in each else value for key, value in line.items()}) for line in lines)


def deploy_all(site):
    site.deploy("web", "one", "--host", "a.test,b.test", "--buffer-requests", "--buffer-responses", "--log-request-header", "X-A")
    site.deploy("api", "api", "--host", "a.test", "--path-prefix", "/api,/v2", "--scope-cookie-paths")
    site.deploy("wild", "two", "--host", "*.wild.test")
    site.deploy("paused", "two", "--host", "paused.test")
    site.run("stop", "paused", "--message", "back <soon>")
    site.deploy("stopped", "two", "--host", "stopped.test")
    site.run("stop", "stopped")
    site.deploy("split", "one", "--host", "split.test")
    site.run("rollout", "deploy", "split", "--target", site.targets["split"])
    site.run("rollout", "set", "split", "--percent", "0", "--list", "me")
    site.deploy("readers", "one", "--host", "readers.test", "--read-target", site.targets["reader"])
    site.deploy("canon", "one", "--host", "canon.test,www.canon.test", "--canonical-host", "canon.test")
    site.deploy("sec", "tls", "--host", "a.com", "--tls", "--tls-certificate-path", f"{CERT}.cert.pem", "--tls-private-key-path",
                f"{CERT}.key.pem")


def differences(what, before, after):
    found = 0
    for key in before | after:
        if before.get(key) != after.get(key):
            found += 1
            before_lines, after_lines = (one.get(key) if isinstance(one.get(key), list) else [one.get(key)] for one in (before, after))
            print(f"{what}, {key}:")
            for sign, lines, others in (("-", before_lines, after_lines), ("+", after_lines, before_lines)):
                print("".join(f"  {sign} {line}\n" for line in lines if line not in others), end="")
    print(f"{what}: {len(before)} compared, {found} differ")
    return found


def main(kamal_proxy, dhow):
    with tempfile.TemporaryDirectory() as folder:
        own = pathlib.Path(folder) / "kamal-proxy"
        own.symlink_to(pathlib.Path(dhow).resolve())
        site = Site(folder)

        def visit(program):
            site.start(program)
            seen = site.seen()
            seen["state"] = site.state()
            return seen

        site.start(kamal_proxy)
        deploy_all(site)
        site.stop()
        first = visit(kamal_proxy)
        site.stop()
        first["log"] = site.log()
        second = visit(str(own))
        site.deploy("web", "two", "--host", "a.test,b.test", "--buffer-requests")
        site.run("resume", "paused")
        site.run("remove", "canon")
        site.stop()
        second["log"] = site.log()
        found = differences("from kamal-proxy to dhow", first, second)
        third = visit(str(own))
        site.stop()
        third["log"] = site.log()
        fourth = visit(kamal_proxy)
        site.stop()
        fourth["log"] = site.log()
        found += differences("from dhow back to kamal-proxy", third, fourth)
    sys.exit(1 if found else 0)


main(*sys.argv[1:3])
