"""Starting, finding and stopping a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import connections, health, ports, records, servers, state
from sandbox.launcher import Owner
from sandbox.model import Connection, Place, Server
from sandbox.state import State

Report = Callable[[Server, str, float], None]


def silent(_server: Server, _what: str, _seconds: float) -> None:
    """Report nothing."""


@dataclass
class Stack:
    """A running sandbox.

    :param env: ``AIRFLOW_CONN_*`` of every server that runs, and of the evidence folder.
    :param endpoints: address of each server by connection id.
    """

    state_dir: Path
    env: dict[str, str] = field(default_factory=dict, repr=False)
    endpoints: dict[str, str] = field(default_factory=dict)
    airflow_url: str | None = None
    airflow_login: tuple[str, str] | None = field(default=None, repr=False)
    _owner: Owner | None = field(default=None, repr=False)

    @classmethod
    def start(
        cls,
        state_dir: Path,
        servers: Sequence[str] | None = None,
        airflow: bool = False,
        *,
        detached: bool = False,
        report: Report = silent,
    ) -> Stack:
        """Start what is missing, wait until all of it serves, and write ``env``.

        Running it again finds what is healthy and starts only the rest.

        :param servers: connection ids, None for all.
        :param detached: the servers outlive this process, until :func:`stop_all`; otherwise
            they end with it, however it ends.
        :raises ServerUnavailableError: a server did not come up; what was started is stopped.
        :raises ConnectionConfigError: a setting is wrong; nothing was started.
        """
        stack = cls(state_dir.resolve())
        stack._owner = Owner(stack.state_dir, detached=detached)
        try:
            with state.locked(stack.state_dir):
                stack._bring_up(servers, report)
        except BaseException:
            stack._owner.stop()
            raise
        return stack

    def ensure(self, *names: str, report: Report = silent) -> None:
        """Start further servers of this stack; healthy ones are left alone."""
        with state.locked(self.state_dir):
            self._bring_up(names, report)

    def stop(self) -> None:
        """Stop what this stack started; servers that it found running stay."""
        if self._owner is not None:
            self._owner.stop()

    def _bring_up(self, names: Sequence[str] | None, report: Report) -> None:
        wanted = servers.select(names)
        known = state.load(self.state_dir)
        missing = [server for server in wanted if not _reusable(server, known, self.state_dir, report)]
        known = _allot(missing, known, self.state_dir)
        state.save(self.state_dir, known)
        if missing and self._owner is not None:
            _start(missing, known, self._owner, report)
        self._describe(known)

    def _describe(self, known: State) -> None:
        found: dict[str, Connection] = {"evidence": connections.evidence(self.state_dir)}
        for name, server in servers.SERVERS.items():
            record = records.read(self.state_dir, name)
            if record is not None and record.alive:
                place = known.place(name, self.state_dir)
                found[name] = server.connection(place)
                self.endpoints[name] = server.address(place)
        self.env = connections.variables(found)
        connections.write(self.state_dir, self.env)


def stop_all(state_dir: Path) -> int:
    """Stop every server of a sandbox, whoever started it; return how many were running."""
    state_dir = state_dir.resolve()
    if not state_dir.exists():
        return 0
    with state.locked(state_dir):
        count = records.end_all(state_dir, state.load(state_dir).sandbox)
        (state_dir / "env").unlink(missing_ok=True)
    return count


def _reusable(server: Server, known: State, state_dir: Path, report: Report) -> bool:
    if server.name not in known.ports:
        return False
    if health.healthy(server, known.place(server.name, state_dir)):
        report(server, "was already running", 0.0)
        return True
    record = records.read(state_dir, server.name)
    if record is not None:
        records.end_server(record)
    return False


def _allot(missing: Sequence[Server], known: State, state_dir: Path) -> State:
    absent = {server.name for server in missing}
    taken = {port for name, p in known.ports.items() if name not in absent for port in p.values()}
    for server in missing:
        before = known.ports.get(server.name, {})
        chosen = ports.choose(server.name, server.ports, before=before, taken=taken)
        known = known.with_server(server.name, chosen, known.secrets.get(server.name) or server.secrets())
    return known


def _start(missing: Sequence[Server], known: State, owner: Owner, report: Report) -> None:
    places = [known.place(server.name, owner.state_dir) for server in missing]
    with ThreadPoolExecutor(len(missing)) as pool:
        # list() waits for all and raises the first error
        preparing = list(pool.map(_prepare, missing, places))
        owner.spawn([s.launch(p) for s, p in zip(missing, places, strict=True)], known.sandbox)
        began = time.monotonic()

        def follow(server: Server, place: Place, before: float) -> None:
            health.wait(server, place)
            server.settle(place)
            report(server, "is ready", before + time.monotonic() - began)

        list(pool.map(follow, missing, places, preparing))


def _prepare(server: Server, place: Place) -> float:
    began = time.monotonic()
    place.home.mkdir(parents=True, exist_ok=True)
    place.log.parent.mkdir(parents=True, exist_ok=True)
    server.prepare(place)
    return time.monotonic() - began
