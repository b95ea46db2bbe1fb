"""``python -m tests.benchmarks.stub.cost``: what the stub store itself spends on a request.

One connection, one request at a time: the dearest way to ask, for no two requests share a turn
of the event loop. The server's own processor time is divided by the number of requests.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from tests.benchmarks.stub.content import FILL
from tests.benchmarks.stub.running import Stub, stub

_OBJECTS, _SIZE = 10_000, 16 * 1024
_FIELDS = (
    f"Authorization: AWS4-HMAC-SHA256 Credential=stub/20260101/us-east-1/s3/aws4_request, {'a' * 64}",
    "x-amz-date: 20260101T000000Z",
    f"x-amz-content-sha256: {'b' * 64}",
    "x-amz-checksum-mode: ENABLED",
)
"""A request of a usual size: about what S3's own clients send."""


def main() -> None:
    """Print microseconds of CPU for each kind of request."""
    with stub(_OBJECTS, _SIZE) as server:
        server.create("t")
        for name, request, times in _requests():
            print(f"{name:<5}{microseconds(server, request, times):6.0f} us of the stub's CPU")


def _requests() -> Iterator[tuple[str, bytes, int]]:
    key = "data/00/object-0000001"
    yield "GET", _request(f"GET /bench/{key}"), 5000
    yield "HEAD", _request(f"HEAD /bench/{key}"), 5000
    yield "PUT", _request(f"PUT /t/{key}", FILL * _SIZE), 5000
    yield "LIST", _request("GET /bench?list-type=2&prefix=data%2F"), 1000


def _request(line: str, body: bytes = b"") -> bytes:
    length = [f"content-length: {len(body)}"] if body else []
    return "\r\n".join([f"{line} HTTP/1.1", "host: stub", *_FIELDS, *length, "\r\n"]).encode() + body


def microseconds(server: Stub, request: bytes, times: int) -> float:
    """Return what one request costs, all told."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before = server.report()["cpu_seconds"]
        for _ in range(times):
            connection.sendall(request)
            _receive(connection, bare=request.startswith(b"HEAD"))
        after = server.report()["cpu_seconds"]
    return float((after - before) / times * 1e6)


def _receive(connection: socket.socket, *, bare: bool) -> None:
    data = connection.recv(1 << 20)
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 20)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    left = 0 if bare else int(length.split(b":")[1]) - len(body)
    while left > 0:
        left -= len(connection.recv(1 << 20))


if __name__ == "__main__":
    main()
