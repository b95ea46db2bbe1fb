"""What an Azure ML feature store serves: hashes in Redis, laid out as its own SDK writes and reads them.

Two layouts are read, those of the versions 1 and 2 of a specification; version 1 is written.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.connections import Connection
from heavylift.errors import CredentialError, PermanentError, ServerUnavailableError, TransientError
from heavylift.registry.features.description import View
from heavylift.registry.features.ports import Key, Served

if TYPE_CHECKING:
    from redis import Redis

_AT_ONCE = 500
_SECONDS = 30
_NIL = 0xC0
_FLOATS = {0xCA: ">f", 0xCB: ">d"}
_BINARY = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}


@dataclass(frozen=True)
class Layout:
    """Where one version of a feature set lies.

    :param guid: the feature store's own id.
    :param version: of the feature set.
    :param schema: version of its specification.
    :param materialised: the id that the service has given to what it materialised; empty where it has not.
    """

    guid: str
    name: str
    version: str
    schema: int = 1
    materialised: str = ""

    def key(self, names: Sequence[str], key: Key) -> str:
        """Return the name of a key's hash."""
        start = f"featurestore:{self.guid}:featureset:{self.name}:version:{self.version}:"
        start = (f"{start}{self.materialised}:" if self.materialised else start).lower()
        if self.schema == 1:
            return start + ":".join(f"{name}:{value}" for name, value in zip(names, key, strict=True))
        # Not a protection: the layout asks for it.
        short = hashlib.md5(start.encode(), usedforsecurity=False).hexdigest()
        return f"{short}({':'.join(str(each) for each in key)})"


class RedisOnline:
    """The Redis of a feature store; close it when done.

    :param connection: extra ``redis_host``, ``redis_port`` (6380), ``redis_password``, and ``redis_tls``
        (true) which only a server of this machine may go without.
    """

    def __init__(self, connection: Connection, stop: threading.Event) -> None:
        self._connection, self._stop = connection, stop
        self._client: Redis | None = None

    @property
    def is_there(self) -> bool:
        """Tell whether the connection names one."""
        return bool(self._connection.text("redis_host"))

    def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            self._client.close()

    def put(self, layout: Layout, view: View, rows: Path) -> int:
        """Write a Parquet file's rows, but none over a newer one; return how many were sent."""
        import pyarrow.parquet

        sent = 0
        columns = [*view.keys, view.event_time, *view.features]
        for batch in pyarrow.parquet.ParquetFile(rows).iter_batches(_AT_ONCE, columns=columns):
            with self._asking("writing", view.name) as client:
                sent += self._put(client, layout, view, batch.to_pylist())
        return sent

    def fetch(self, layout: Layout, view: View, keys: Sequence[Key]) -> list[Served]:
        """Read what is served for keys, in their order."""
        found: list[Served] = []
        names = [*view.features, view.event_time]
        read = _READERS[layout.schema]
        for start in range(0, len(keys), _AT_ONCE):
            with self._asking("reading", view.name) as client:
                pipe = client.pipeline(transaction=False)
                for key in keys[start : start + _AT_ONCE]:
                    pipe.hmget(layout.key(view.keys, key), names)
                found += [_served(view, answer, read) for answer in pipe.execute()]
        return found

    def _put(self, client: Redis, layout: Layout, view: View, rows: list[dict[str, Any]]) -> int:
        keys = [layout.key(view.keys, tuple(row[name] for name in view.keys)) for row in rows]
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.hget(key, view.event_time)
        there = pipe.execute()
        pipe = client.pipeline(transaction=False)
        for key, row, old in zip(keys, rows, there, strict=True):
            at = int(row[view.event_time].replace(tzinfo=UTC).timestamp())
            if old is not None and float(old) > at:
                continue
            values = {name: _written(each.type, row[name]) for name, each in view.features.items()}
            pipe.hset(
                key, mapping={**{name: v for name, v in values.items() if v is not None}, view.event_time: at}
            )
            if gone := [name for name, value in values.items() if value is None]:
                pipe.hdel(key, *gone)
            if view.ttl:
                pipe.expireat(key, at + view.ttl)
            else:
                pipe.persist(key)
        pipe.execute()
        return len(rows)

    @contextmanager
    def _asking(self, act: str, name: str) -> Iterator[Redis]:
        from redis import exceptions

        what = f"{act} what feature set {name!r} serves, at {self._connection.text('redis_host')}"
        if self._stop.is_set():
            raise _stopped(what)
        try:
            yield self._opened()
        except (
            exceptions.AuthenticationError,
            exceptions.AuthorizationError,
            exceptions.NoPermissionError,
        ) as error:
            raise _refused(what, error) from None
        except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
            raise _unreachable(what, error) from None
        except exceptions.RedisError as error:
            raise _failed(what, error) from None

    def _opened(self) -> Redis:
        if self._client is None:
            from redis import Redis

            extra = self._connection
            tls = str(extra.extra.get("redis_tls", True)).lower() != "false"
            self._client = Redis(
                host=str(extra.text("redis_host")),
                port=int(extra.text("redis_port") or 6380),
                password=extra.text("redis_password"),
                ssl=tls,
                protocol=2,
                socket_timeout=_SECONDS,
                socket_connect_timeout=_SECONDS,
            )
        return self._client


def _served(view: View, answer: Sequence[bytes | None], read: Callable[[str, bytes], object]) -> Served:
    if all(each is None for each in answer):
        return Served()
    values = {
        name: None if raw is None else read(each.type, raw)
        for (name, each), raw in zip(view.features.items(), answer[:-1], strict=True)
    }
    return Served(values, None if answer[-1] is None else float(answer[-1]))


def _written(kind: str, value: object) -> str | None:
    """Return a value as version 1 of the layout has it."""
    if value is None:
        return None
    if kind.startswith("float"):
        return base64.b64encode(struct.pack(">Bd", 0xCB, float(str(value)))).decode()
    if isinstance(value, bytes):
        code, form = next((c, f) for c, f in _BINARY.items() if len(value) < 256 ** struct.calcsize(f))
        return base64.b64encode(bytes([code]) + struct.pack(form, len(value)) + value).decode()
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    return str(value)


def _first(kind: str, raw: bytes) -> object:
    """Read a value of version 1: text, or Base64 of MessagePack."""
    if kind.startswith("float") or kind == "bytes":
        return _unpacked(base64.b64decode(raw))
    if kind == "bool":
        return raw == b"True"
    return raw.decode()


def _second(kind: str, raw: bytes) -> object:
    """Read a value of version 2: text, or the number's own bytes."""
    forms = {"int32": "<i", "float32": "<f", "float64": "<d"}
    if kind == "int64":
        return int.from_bytes(raw, "little", signed=True)
    if kind in forms:
        return struct.unpack(forms[kind], raw)[0]
    if kind == "bool":
        return raw == b"1"
    return raw.hex() if kind == "bytes" else raw.decode()


_READERS: Mapping[int, Callable[[str, bytes], object]] = {1: _first, 2: _second}


def _unpacked(raw: bytes) -> object:
    code = raw[0]
    if code == _NIL:
        return None
    if code in _FLOATS:
        return struct.unpack(_FLOATS[code], raw[1:])[0]
    if code in _BINARY:
        return raw[1 + struct.calcsize(_BINARY[code]) :].hex()
    # Whole numbers stand in a column of fractions as themselves.
    return code if code < 0x80 else int.from_bytes(raw[1:], "big", signed=0xD0 <= code <= 0xD3)


def _stopped(what: str) -> TransientError:
    return TransientError(
        what,
        got="a request to stop",
        expected="time to go on",
        state="what was written stays",
        remedy="run the same command again",
        code="9475",
    )


def _refused(what: str, error: Exception) -> CredentialError:
    return CredentialError(
        what,
        got=type(error).__name__,
        expected="a password that Redis accepts",
        state="what was written before stays",
        remedy="correct extra.redis_password of the feature store's connection",
        code="9476",
    )


def _unreachable(what: str, error: Exception) -> ServerUnavailableError:
    return ServerUnavailableError(
        what,
        got=type(error).__name__,
        expected="an answer",
        state="what was written before stays",
        remedy="check redis_host, redis_port and redis_tls, and that the network lets this machine through",
        code="9477",
    )


def _failed(what: str, error: Exception) -> PermanentError:
    return PermanentError(
        what,
        got=type(error).__name__,
        expected="the commands HGET, HMGET, HSET, HDEL, EXPIREAT and PERSIST",
        state="what was written before stays",
        remedy="name the feature store's own Redis, which is not clustered, and allow these commands",
        code="9478",
    )
