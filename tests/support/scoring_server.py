"""A small scoring server on loopback that can be made slow, wrong or broken while it runs."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from heavylift.connections import Connection


@dataclass
class Manner:
    """How the server behaves; may be changed at any time.

    :param errors: share of requests answered with HTTP 500.
    :param shift: added to every prediction; ``wander``: up to so much of it by chance.
    """

    seconds: float = 0.002
    errors: float = 0.0
    shift: float = 0.0
    status: int = 0
    hang: bool = False
    token: str = ""
    wander: float = 0.0
    seed: int = 1
    asked: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(1))


@dataclass
class Running:
    """A server that runs."""

    port: int
    manner: Manner

    def connection(self, name: str, token: str = "") -> Connection:
        extra = {"token": token} if token else {}
        return Connection(name, "http", host=f"http://127.0.0.1:{self.port}", extra=extra)


@contextmanager
def scoring_server(manner: Manner | None = None) -> Iterator[Running]:
    """Run a server that answers ``/invocations`` as MLflow's does."""
    behaves = manner or Manner()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            behaves.asked += 1
            time.sleep(behaves.seconds * behaves.random.lognormvariate(0, 0.2))
            if behaves.token and self.headers.get("Authorization") != f"Bearer {behaves.token}":
                return self._answer(401, {"error": "who are you?"})
            if behaves.hang:
                threading.Event().wait(6)
            if behaves.status or behaves.random.random() < behaves.errors:
                return self._answer(behaves.status or 500, {"error": "it broke"})
            rows = body["inputs"] if "inputs" in body else body["dataframe_split"]["data"]
            chance = behaves.random.uniform
            drawn = [chance(-behaves.wander, behaves.wander) if behaves.wander else 0.0 for _ in rows]
            told = [sum(row) + behaves.shift + by for row, by in zip(rows, drawn, strict=True)]
            return self._answer(200, {"predictions": told})

        def _answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Say nothing: a client that gave up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Running(server.server_port, behaves)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
