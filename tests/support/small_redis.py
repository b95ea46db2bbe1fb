"""A small Redis: the commands on hashes that an online store needs, over the real protocol (RESP 2)."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SmallRedis:
    """The server, on a port of its own.

    :ivar hashes: by key.
    :ivar expiries: by key, in seconds since 1970.
    """

    password: str = "a-password"
    hashes: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    expiries: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        redis = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                let_in = False
                while line := self.rfile.readline():
                    words = []
                    for _ in range(int(line[1:])):
                        size = int(self.rfile.readline()[1:])
                        words.append(self.rfile.read(size + 2)[:-2])
                    name = words[0].upper()
                    if name == b"AUTH":
                        let_in = words[-1].decode() == redis.password
                        answer = b"+OK\r\n" if let_in else b"-WRONGPASS invalid password\r\n"
                    elif not let_in:
                        answer = b"-NOAUTH Authentication required.\r\n"
                    else:
                        answer = redis.answer(name.decode(), words[1:])
                    self.wfile.write(answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def extra(self) -> dict[str, Any]:
        """Extra fields of a connection that leads to it."""
        port = self._server.server_address[1]
        return {
            "redis_host": "127.0.0.1",
            "redis_port": str(port),
            "redis_password": self.password,
            "redis_tls": "false",
        }

    def answer(self, name: str, words: list[bytes]) -> bytes:
        """Carry out one command."""
        if name == "CLIENT":
            return b"+OK\r\n"
        key, rest = words[0].decode(), words[1:]
        held = self.hashes.get(key, {})
        if name == "HGET":
            return _bulk(held.get(rest[0]))
        if name == "HMGET":
            return b"*%d\r\n" % len(rest) + b"".join(_bulk(held.get(each)) for each in rest)
        if name == "HSET":
            self.hashes.setdefault(key, {}).update(zip(rest[::2], rest[1::2], strict=True))
        elif name == "HDEL":
            for each in rest:
                held.pop(each, None)
        elif name == "EXPIREAT":
            self.expiries[key] = int(rest[0])
        elif name == "PERSIST":
            self.expiries.pop(key, None)
        else:
            return b"-ERR unknown command\r\n"
        return b":1\r\n"


def _bulk(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n" % len(value) + value + b"\r\n"
