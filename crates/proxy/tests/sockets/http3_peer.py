"""Holds a server's HTTP/3 against aioquic, a client that shares no code with it.

usage: http3_peer.py HTTPS_PORT CHECK

Ends with 0 when the check passed; else what went wrong is on standard error. Not among the checks are informational responses,
as aioquic takes every second head of an answer for trailers, and HEAD, whose Content-Length it holds against the body.
"""

import asyncio
import http.client
import socket
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

NAME = "a.com"


class Answer:
    def __init__(self):
        self.heads, self.body = [], b""
        self.done = asyncio.get_running_loop().create_future()

    def header(self, name):
        return dict(self.final).get(name.encode())

    @property
    def final(self):
        return self.heads[0]

    @property
    def status(self):
        return int(dict(self.final)[b":status"])

    @property
    def trailers(self):
        last = dict(self.heads[-1])
        return {} if b":status" in last else last


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.h3 = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.fail(event.stream_id, f"reset with {event.error_code:#x}")
        if isinstance(event, ConnectionTerminated):
            for stream in self.answers:
                self.fail(stream, f"closed with {event.error_code:#x} {event.reason_phrase}")
        for event in self.h3.handle_event(event):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if answer is None:
                continue
            if isinstance(event, HeadersReceived):
                answer.heads.append(event.headers)
            elif isinstance(event, DataReceived):
                answer.body += event.data
            if getattr(event, "stream_ended", False) and not answer.done.done():
                answer.done.set_result(answer)

    def fail(self, stream, why):
        future = self.answers[stream].done
        if not future.done():
            future.set_exception(RuntimeError(why))

    def request(self, method, path, headers=(), body=None, trailers=None):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        head = [(":method", method), (":scheme", "https"), (":authority", NAME), (":path", path), *headers]
        ends = body is None and trailers is None
        self.h3.send_headers(stream, [(k.encode(), v.encode()) for k, v in head], end_stream=ends)
        if body is not None:
            self.h3.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            self.h3.send_headers(stream, [(k.encode(), v.encode()) for k, v in trailers], end_stream=True)
        self.transmit()
        return asyncio.wait_for(self.answers[stream].done, 30)


def dial(port):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=NAME)
    configuration.verify_mode = ssl.CERT_NONE
    configuration.idle_timeout = 10
    return connect("127.0.0.1", port, configuration=configuration, create_protocol=Client)


def same(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r:.200} is not {wanted!r:.200}")


async def get(port):
    async with dial(port) as client:
        for _ in range(2):
            answer = await client.request("GET", "/echo?a=b", [("x-one", "1")])
            same("status", answer.status, 200)
            same("path", answer.header("x-path"), b"/echo?a=b")
            same("body", answer.body, b"")


async def bodies(port):
    body = bytes(range(256)) * 4096
    async with dial(port) as client:
        answer = await client.request("POST", "/echo", [("content-length", str(len(body)))], body)
        same("status", answer.status, 200)
        same("length", len(answer.body), 1 << 20)
        same("body", answer.body == body, True)
        answer = await client.request("PUT", "/echo", [], body)
        same("body without a length", answer.body == body, True)


async def trailers(port):
    async with dial(port) as client:
        answer = await client.request("POST", "/trailers", [("te", "trailers")], b"x", [("x-in", "7")])
        same("status", answer.status, 200)
        same("body", answer.body, b"hello")
        same("trailers", answer.trailers, {b"grpc-status": b"0"})


async def streams(port):
    async with dial(port) as client:
        answers = await asyncio.gather(
            *(client.request("POST", f"/echo/{n}", [], str(n).encode() * 1000) for n in range(80))
        )
        for n, answer in enumerate(answers):
            same("status", answer.status, 200)
            same("path", answer.header("x-path"), f"/echo/{n}".encode())
            same("body", answer.body, str(n).encode() * 1000)


async def discovery(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    tcp = http.client.HTTPSConnection("localhost", port, context=context)
    tcp.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=NAME)
    tcp.request("GET", "/echo", headers={"Host": f"{NAME}:{port}"})
    value = tcp.getresponse().getheader("Alt-Svc")
    same("Alt-Svc", value, f'h3=":{port}"; ma=2592000')
    found = int(value.split(":")[1].split('"')[0])
    async with dial(found) as client:
        answer = await client.request("GET", "/echo")
        same("status at the port found", answer.status, 200)
        same("Alt-Svc over HTTP/3", answer.header("alt-svc"), None)


async def migration(port):
    async with dial(port) as client:
        same("before", (await client.request("GET", "/echo/1")).status, 200)
        # Another address: the same connection goes on from a new socket.
        loop = asyncio.get_running_loop()
        old = client._transport
        moved = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        moved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        moved.bind(("::", 0))
        await loop.create_datagram_endpoint(lambda: client, sock=moved)
        client._quic.change_connection_id()
        for n in range(20):
            same("after", (await client.request("GET", f"/echo/{n}")).status, 200)
        old.close()


async def refused(port):
    try:
        async with dial(port):
            raise AssertionError("there is HTTP/3")
    except ConnectionError:
        pass


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(globals()[sys.argv[2]](int(sys.argv[1])), 60))
