"""A proxy before moto's server that carries requests out and then does not pass the answer on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class LosingProxy:
    """Passes requests on.

    :param loses: an operation, a path or a method whose answer is to be lost, and which one of them (from 1).
    :param then: called when an answer is lost.
    """

    upstream: str
    loses: tuple[str, int] = ("", 0)
    then: Callable[[], None] = lambda: None
    seen: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def is_lost(self, name: str) -> bool:
        """Count a request, and tell whether its answer is to be lost."""
        self.seen[name] += 1
        return (name, self.seen[name]) == self.loses


@contextmanager
def losing(upstream: str, loses: tuple[str, int] = ("", 0)) -> Iterator[LosingProxy]:
    """Run a proxy for the length of the block."""
    proxy = LosingProxy(upstream, loses)
    place = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            target = HTTPConnection(str(place.hostname), place.port, timeout=60)
            target.request(self.command, self.path, body, dict(self.headers.items()))
            answer = target.getresponse()
            data = answer.read()
            target.close()
            name = self.headers.get("x-amz-target", "").rpartition(".")[2] or self.command
            if proxy.is_lost(name) or proxy.is_lost(self.path.partition("?")[0]):
                proxy.then()
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in {"transfer-encoding", "connection", "content-length", "server", "date"}:
                    self.send_header(key, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
