"""A broker that knows users and ACLs, made of one that knows neither: it stands before it on the wire.

It takes SASL/PLAIN as Kafka does, keeps ACLs, tells them, and refuses to produce where one denies it. All
else it passes to the broker behind it, frame by frame. So an ACL is really in force, on real records.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

PRODUCE, API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 0, 18, 17, 36
DESCRIBE_ACLS, CREATE_ACLS, DELETE_ACLS = 29, 30, 31
_OWN = {
    SASL_HANDSHAKE: (0, 1),
    SASL_AUTHENTICATE: (0, 1),
    DESCRIBE_ACLS: (1, 1),
    CREATE_ACLS: (1, 1),
    DELETE_ACLS: (1, 1),
}
_DENIED, _TOPIC, _LITERAL, _WRITE, _DENY = 29, 2, 3, 4, 2
_ANY = 1
_PRODUCE_VERSION = 8
"""The last one whose form is not compact."""

Rule = tuple[int, str, int, str, str, int, int]
"""Kind and name of the resource, pattern, principal, host, operation and permission."""


class Frame:
    """Reads the fields of one request, in the form before compact ones."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, form: str) -> int:
        found: int = struct.unpack_from(f">{form}", self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return found

    def text(self) -> str | None:
        size = self.number("h")
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def blob(self) -> bytes:
        size = self.number("i")
        if size < 0:
            return b""
        self._at += size
        return self._data[self._at - size : self._at]

    @property
    def left(self) -> bytes:
        return self._data[self._at :]


def text(value: str | None) -> bytes:
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def array(items: list[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)


@dataclass
class AclGate:
    """One broker with users and ACLs.

    :param port: of the broker behind; it has to advertise this gate's :attr:`port`.
    :param users: whom it lets in, with their passwords.
    """

    port: int
    users: dict[str, str]
    rules: set[Rule] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    behind: int = 0

    def __post_init__(self) -> None:
        # The loop itself holds no task: one whose client has gone would be thrown away before its end.
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            ready.set()
            await self._over.wait()
            server.close()
            # Also of clients that have connected this very moment, and have no session yet.
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in others:
                    task.cancel()
                await asyncio.wait(others)
            await asyncio.sleep(0)  # transports that were closed end in the loop's next turn

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(serve())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await _Session(self, reader, writer).run()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client or the test has ended it
        finally:
            await _closed(writer)

    def denies(self, user: str, topic: str) -> bool:
        rule: Rule = (_TOPIC, topic, _LITERAL, f"User:{user}", "*", _WRITE, _DENY)
        return rule in self.rules


class _Session:
    """One client's connection; requests are answered in order."""

    def __init__(self, gate: AclGate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._gate, self._reader, self._writer = gate, reader, writer
        self._user = ""
        self._own: dict[int, Callable[[Frame], bytes]] = {
            SASL_HANDSHAKE: self._handshake,
            SASL_AUTHENTICATE: self._authenticate,
            DESCRIBE_ACLS: self._describe,
            CREATE_ACLS: self._create,
            DELETE_ACLS: self._delete,
        }

    async def run(self) -> None:
        behind, onward = await asyncio.open_connection("127.0.0.1", self._gate.behind)
        try:
            while True:
                request = await _frame(self._reader)
                answer = self._answer(request)
                if answer is None:
                    _send(onward, request)
                    if self._wants_no_answer(request):
                        continue
                    answer = self._changed(request, await _frame(behind))
                _send(self._writer, answer)
                await self._writer.drain()
        finally:
            await _closed(onward)

    def _answer(self, request: bytes) -> bytes | None:
        frame = Frame(request)
        key, version, correlation = frame.number("h"), frame.number("h"), frame.number("i")
        frame.text()
        if key not in (API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE) and not self._user:
            raise ConnectionError("not logged in")
        head = struct.pack(">i", correlation)
        if key in self._own:
            return head + self._own[key](frame)
        if key == PRODUCE:
            assert version <= _PRODUCE_VERSION
            return self._refused(head, version, frame)
        return None

    def _wants_no_answer(self, request: bytes) -> bool:
        frame = Frame(request)
        if frame.number("h") != PRODUCE:
            return False
        version = frame.number("h")
        frame.number("i")
        frame.text()
        if version >= 3:
            frame.text()
        return frame.number("h") == 0

    def _refused(self, head: bytes, version: int, frame: Frame) -> bytes | None:
        """Return an answer that refuses all topics, where one of them is denied."""
        if version >= 3:
            frame.text()
        frame.number("h")
        frame.number("i")
        topics = [(frame.text() or "", _partitions(frame)) for _ in range(frame.number("i"))]
        denied = [name for name, _ in topics if self._gate.denies(self._user, name)]
        if not denied:
            return None
        self._gate.refused += denied
        told = []
        for name, partitions in topics:
            each = []
            for number in partitions:
                part = struct.pack(">ihq", number, _DENIED, -1)
                part += struct.pack(">q", -1) if version >= 2 else b""
                part += struct.pack(">q", -1) if version >= 5 else b""
                part += array([]) + text(None) if version >= 8 else b""
                each.append(part)
            told.append(text(name) + array(each))
        return head + array(told) + (struct.pack(">i", 0) if version >= 1 else b"")

    def _changed(self, request: bytes, answer: bytes) -> bytes:
        """Say in the list of what can be asked which of it this gate answers, and in which form."""
        key, version = struct.unpack_from(">hh", request)
        if key != API_VERSIONS:
            return answer
        offers = _offers(answer, version)
        offers |= _OWN
        offers[PRODUCE] = (0, _PRODUCE_VERSION)
        error, head = answer[4:6], answer[:4]
        if version >= 3:
            items = [struct.pack(">hhh", each, *offers[each]) + b"\x00" for each in sorted(offers)]
            return head + error + _varint(len(items) + 1) + b"".join(items) + struct.pack(">i", 0) + b"\x00"
        listed = array([struct.pack(">hhh", each, *offers[each]) for each in sorted(offers)])
        return head + error + listed + (struct.pack(">i", 0) if version >= 1 else b"")

    def _handshake(self, _frame: Frame) -> bytes:
        return struct.pack(">h", 0) + array([text("PLAIN")])

    def _authenticate(self, frame: Frame) -> bytes:
        _, user, password = frame.blob().decode().split("\0")
        if self._gate.users.get(user) != password:
            return struct.pack(">h", 58) + text("no") + struct.pack(">i", 0) + struct.pack(">q", 0)
        self._user = user
        return struct.pack(">h", 0) + text(None) + struct.pack(">i", 0) + struct.pack(">q", 0)

    def _create(self, frame: Frame) -> bytes:
        made = []
        for _ in range(frame.number("i")):
            self._gate.rules.add(_rule(frame))
            made.append(struct.pack(">h", 0) + text(None))
        return struct.pack(">i", 0) + array(made)

    def _describe(self, frame: Frame) -> bytes:
        found = _matching(self._gate.rules, frame)
        resources = [
            struct.pack(">b", kind) + text(name) + struct.pack(">b", pattern)
            + array([text(whom) + text(host) + struct.pack(">bb", operation, permission)])
            for kind, name, pattern, whom, host, operation, permission in found
        ]  # fmt: skip
        return struct.pack(">ih", 0, 0) + text(None) + array(resources)

    def _delete(self, frame: Frame) -> bytes:
        results = []
        for _ in range(frame.number("i")):
            found = _matching(self._gate.rules, frame)
            self._gate.rules -= set(found)
            gone = [
                struct.pack(">h", 0) + text(None) + struct.pack(">b", kind) + text(name)
                + struct.pack(">b", pattern) + text(whom) + text(host)
                + struct.pack(">bb", operation, permission)
                for kind, name, pattern, whom, host, operation, permission in found
            ]  # fmt: skip
            results.append(struct.pack(">h", 0) + text(None) + array(gone))
        return struct.pack(">i", 0) + array(results)


def _rule(frame: Frame) -> Rule:
    kind, name, pattern = frame.number("b"), frame.text() or "", frame.number("b")
    return kind, name, pattern, frame.text() or "", frame.text() or "", frame.number("b"), frame.number("b")


def _matching(rules: set[Rule], frame: Frame) -> list[Rule]:
    kind, name, pattern = frame.number("b"), frame.text(), frame.number("b")
    whom, host, operation, permission = frame.text(), frame.text(), frame.number("b"), frame.number("b")
    asked = (kind, name, pattern, whom, host, operation, permission)
    fits = [
        rule
        for rule in rules
        if all(want in (None, _ANY, have) for want, have in zip(asked, rule, strict=True))
    ]
    return sorted(fits)


def _partitions(frame: Frame) -> list[int]:
    found = []
    for _ in range(frame.number("i")):
        found.append(frame.number("i"))
        frame.blob()
    return found


def _offers(answer: bytes, version: int) -> dict[int, tuple[int, int]]:
    compact = version >= 3 and struct.unpack_from(">h", answer, 4)[0] == 0
    if not compact:
        count, at, step = struct.unpack_from(">i", answer, 6)[0], 10, 6
    else:
        count, at, step = answer[6] - 1, 7, 7
    found = {}
    for number in range(count):
        key, low, high = struct.unpack_from(">hhh", answer, at + number * step)
        found[key] = (low, high)
    return found


def _varint(value: int) -> bytes:
    assert value < 128
    return bytes([value])


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = struct.unpack(">i", await reader.readexactly(4))[0]
    return await reader.readexactly(size)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)
