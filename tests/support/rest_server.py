"""A small REST server that answers listings from memory: in pages, and with the refusals it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Page = dict[str, Any]
Following = Callable[[str, int], Page]
"""(address of the listing, number of the next page) → what an answer says of it."""


@dataclass
class Api:
    """What is there.

    :param listings: path → pages.
    :param refused: path → status and answer.
    :param following: how this platform names a next page.
    :param parameter: of the query, that asks for a page by its number.
    """

    following: Following
    parameter: str
    listings: dict[str, list[Page]] = field(default_factory=dict)
    refused: dict[str, tuple[int, Page]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, target: str) -> tuple[int, Page]:
        """Return status and answer of one request."""
        parts = urlsplit(target)
        path = parts.path.strip("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        refused = next((each for start, each in self.refused.items() if path.startswith(start)), None)
        if refused:
            return refused
        pages = self.listings.get(path, [{}])
        number = int(query.get(self.parameter) or 0)
        more = self.following(f"{self.url}{target}", number + 1) if number + 1 < len(pages) else {}
        return 200, {**pages[number], **more}


@contextmanager
def serving(api: Api) -> Iterator[Api]:
    """Serve on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.asked.append(f"{self.command} {self.path}")
            status, answer = api.answer(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
