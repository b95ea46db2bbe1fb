"""A relay in front of a broker, whose connections can all be cut at once."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Passes bytes on until it is told to cut. Listens on a port of its own.

    :param target: the broker's port on this machine.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.cuts = 0
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def cut(self) -> None:
        """End every connection in the middle of whatever it carries."""
        ended = list(self._open)
        for each in ended:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.cuts += bool(ended)

    def close(self) -> None:
        """Stop listening, cut what is left, and wait until all of it is closed."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        # One that was just being taken in is not among those that a single cut would end.
        while serving := [each for each in self._threads if each.is_alive()]:
            self.cut()
            serving[0].join(0.1)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open |= {client, server}
            back = threading.Thread(target=_pass, args=(server, client))
            back.start()
            _pass(client, server)
            back.join()
            self._open -= {client, server}


def _pass(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
