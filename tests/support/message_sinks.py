"""Two places that take messages on this machine: a web hook, and a mail server that speaks enough SMTP."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """What a web hook got; answers with ``status``."""

    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authorisations: list[str] = field(default_factory=list)


@contextmanager
def web_hook() -> Iterator[Hook]:
    """Serve a web hook for the block."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.bodies.append(json.loads(body))
            hook.paths.append(self.path)
            hook.authorisations.append(self.headers.get("Authorization", ""))
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        with _served(server):
            yield hook


@dataclass
class MailBox:
    """What a mail server got."""

    port: int = 0
    refuses: bool = False
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailBox]:
    """Serve a mail box for the block."""
    box = MailBox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline():
                word = line.split(b" ")[0].strip().upper()
                if word == b"DATA":
                    self._say("354 go on")
                    self._take()
                elif word == b"RCPT":
                    box.recipients.append(line.decode().strip().partition(":")[2].strip("<>"))
                    self._say("550 no" if box.refuses else "250 ok")
                else:
                    self._say("221 bye" if word == b"QUIT" else "250 ok")

        def _take(self) -> None:
            lines: list[bytes] = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            box.mails.append(message_from_string(b"".join(lines).decode()))
            self._say("250 taken")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        with _served(server):
            yield box


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
