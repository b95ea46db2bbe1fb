"""What a sandbox server is: how it is launched, probed and reached. Data only."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Connection = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One server's corner of a sandbox: its folder, ports and throw-away keys.

    :param name: the server's name, which is also its connection id.
    :param state_dir: the sandbox's folder.
    :param ports: port by role, e.g. ``{"http": 20123}``; all on 127.0.0.1.
    :param secrets: throw-away keys by role; never shown.
    """

    name: str
    state_dir: Path
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def home(self) -> Path:
        """The server's own data folder."""
        return self.state_dir / "servers" / self.name

    @property
    def log(self) -> Path:
        """The file that takes the server's standard output and error."""
        return self.state_dir / "logs" / f"{self.name}.log"

    @property
    def url(self) -> str:
        """The server's HTTP address (meaningless for a database)."""
        return f"http://127.0.0.1:{next(iter(self.ports.values()))}"


@dataclass(frozen=True)
class Launch:
    """A process to be supervised, in a form that can be written down as JSON.

    :param grace: seconds between the stop signal and SIGKILL.
    :param user: numeric user and group to run as, for servers that refuse root.
    """

    name: str
    argv: list[str]
    log: str
    cwd: str
    env: dict[str, str] = field(default_factory=dict, repr=False)
    stop_signal: int = int(signal.SIGTERM)
    grace: float = 10.0
    user: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; :meth:`from_json` turns it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Launch:
        """Rebuild a launch written by :meth:`to_json`."""
        user = raw.get("user")
        return cls(**{**raw, "user": (int(user[0]), int(user[1])) if user else None})


def _nothing(_place: Place) -> None:
    return None


def _no_secrets() -> dict[str, str]:
    return {}


def _no_more(_place: Place) -> dict[str, Connection]:
    return {}


@dataclass(frozen=True)
class Server:
    """One kind of server under one name.

    ``prepare`` runs before the process starts and ``settle`` once it answers; both are safe to
    repeat. ``probe`` raises as long as the server does not serve real requests. A server ``on_request``
    is started only where it is named, or where one of those started needs it.

    :param needs: servers that have to serve before this one is prepared.
    :param more_connections: further connections to the same process, by their ids.
    """

    name: str
    title: str
    ports: tuple[str, ...]
    launch: Callable[[Place], Launch]
    probe: Callable[[Place], None]
    connection: Callable[[Place], Connection]
    secrets: Callable[[], dict[str, str]] = _no_secrets
    prepare: Callable[[Place], None] = _nothing
    settle: Callable[[Place], None] = _nothing
    deadline: float = 60.0
    scheme: str = "http"
    on_request: bool = False
    needs: tuple[str, ...] = ()
    more_connections: Callable[[Place], dict[str, Connection]] = _no_more

    def address(self, place: Place) -> str:
        """Return where the server is reached, as a person would write it."""
        return f"{self.scheme}://{place.url.removeprefix('http://')}"
