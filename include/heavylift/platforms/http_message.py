"""HTTP messages as the data path sees them: requests, answers, and header names without case."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from heavylift import __version__
from heavylift.errors import PermanentError

_AGENT = f"heavylift/{__version__}"


class Headers(Mapping[str, str]):
    """Header fields by name, in whatever case it is asked for.

    Iteration tells names as they came: Azure's metadata names have a case. Fields that come more
    than once are joined by a comma (RFC 9110, 5.2).
    """

    __slots__ = ("_names", "lowered")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.lowered: dict[str, str] = {}
        """Values by name in lower case, for whoever asks for many."""
        self._names: dict[str, str] = {}
        for name, value in fields:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Take in one field."""
        lower = name.lower()
        if lower in self.lowered:
            self.lowered[lower] += f", {value}"
            return
        self.lowered[lower] = value
        if lower != name:
            self._names[lower] = name

    def add_raw(self, name: bytes, value: bytes) -> None:
        """Take in one field as it came over the line."""
        lower, cased = _name_of(name)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            # What HTTP says of such bytes, and what the clients that sent them have meant.
            text = value.decode("latin-1")
        if lower in self.lowered:
            self.add(lower, text)
            return
        self.lowered[lower] = text
        if cased is not None:
            self._names[lower] = cased

    def __getitem__(self, name: str) -> str:
        return self.lowered[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (self._names.get(lower, lower) for lower in self.lowered)

    def __len__(self) -> int:
        return len(self.lowered)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.lowered

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field's value, or ``default``."""
        return self.lowered.get(name.lower(), default)

    def items(self) -> ItemsView[str, str]:
        """Return names, as they came, and values."""
        names = self._names
        return {names.get(lower, lower): value for lower, value in self.lowered.items()}.items()


@lru_cache(maxsize=512)
def _name_of(name: bytes) -> tuple[str, str | None]:
    """Return a field's name in lower case, and as it came where that is another."""
    text = name.decode("latin-1")
    lower = text.lower()
    return lower, None if lower == text else text


def lowered(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return header values by name in lower case."""
    # By type, not isinstance: an abstract base class answers that ten times slower.
    kind = type(headers)
    if kind is Headers:
        return cast("Headers", headers).lowered
    if kind is dict and "etag" in headers:
        return headers  # already so
    return {name.lower(): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection leads to: ``https`` or not, host, port."""

    tls: bool
    host: str
    port: int


def split_url(url: str) -> tuple[Origin, str]:
    """Return whom an http(s) URL is for, and what it asks of them, byte for byte.

    Only what stands before the path is read: the path may hold anything, ``//`` and ``..`` too.
    """
    scheme, _, rest = url.partition("://")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:cut], rest[cut:]
    host, port = _host_and_port(authority.rpartition("@")[2])
    tls = scheme == "https"
    return Origin(tls, host, port or (443 if tls else 80)), target if target[:1] == "/" else f"/{target}"


def _host_and_port(authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        return host, int(port[1:] or 0)
    host, _, port = authority.partition(":")
    return host, int(port or 0)


def authority_of(origin: Origin) -> str:
    """Return the value of a Host header: the default port of the scheme is left out."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == (443 if origin.tls else 80) else f"{host}:{origin.port}"


def request_head(
    method: str, target: str, origin: Origin, headers: Mapping[str, str], size_bytes: int, what: str
) -> bytes:
    """Return the bytes before a request's body.

    :raises PermanentError: a header's value holds a line break, which would begin another header.
    """
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
    if "host" not in headers and "Host" not in headers:
        lines.append(f"Host: {authority_of(origin)}")
    if "user-agent" not in headers and "User-Agent" not in headers:
        lines.append(f"User-Agent: {_AGENT}")
    if size_bytes or method in {"PUT", "POST"}:
        lines.append(f"Content-Length: {size_bytes}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise PermanentError(
            what,
            got="a line break within a header or the URL",
            expected="text on one line",
            state="nothing was sent",
            remedy="correct the object's metadata at the source, or leave user metadata out",
            code="3009",
        )
    return f"{text}\r\n\r\n".encode()
