"""Starting servers that belong together, and leaving alone those that are healthy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from sandbox import health, ports, records
from sandbox.launcher import Owner
from sandbox.model import Place, Server
from sandbox.state import State

Unit = tuple[Server, Place]
Report = Callable[[Server, str, float], None]


def missing(wanted: Iterable[Server], known: State, state_dir: Path, report: Report) -> list[Server]:
    """Return the servers that do not serve; what is left of their processes is ended."""
    return [server for server in wanted if not _serves(server, known, state_dir, report)]


def waves(servers: Sequence[Server]) -> Iterator[list[Server]]:
    """Yield servers in groups that may start at once: each after those that it needs."""
    left = list(servers)
    while left:
        names = {server.name for server in left}
        wave = [server for server in left if not names & set(server.needs)]
        yield wave
        left = [server for server in left if server not in wave]


def _serves(server: Server, known: State, state_dir: Path, report: Report) -> bool:
    if server.name in known.ports and health.healthy(server, known.place(server.name, state_dir)):
        report(server, "was already running", 0.0)
        return True
    end(state_dir, [server.name])
    return False


def end(state_dir: Path, names: Iterable[str]) -> None:
    """End the processes recorded under these names."""
    for record in filter(None, (records.read(state_dir, name) for name in names)):
        records.end_server(record)


def allot(name: str, roles: Sequence[str], new_secrets: Callable[[], dict[str, str]], known: State) -> State:
    """Return a state in which a stopped server has ports that are free now, and keys."""
    taken = {port for other, p in known.ports.items() if other != name for port in p.values()}
    chosen = ports.choose(name, roles, before=known.ports.get(name, {}), taken=taken)
    return known.with_server(name, chosen, known.secrets.get(name) or new_secrets())


def start(units: Sequence[Unit], sandbox: str, owner: Owner, report: Report) -> None:
    """Start servers under one supervisor and wait until all of them serve.

    :raises ServerUnavailableError: one did not; the others may run.
    """
    cancelled = threading.Event()

    def follow(unit: Unit, before: float, began: float) -> None:
        server, place = unit
        health.wait(server, place, cancelled)
        server.settle(place)
        report(server, "is ready", before + time.monotonic() - began)

    with ThreadPoolExecutor(max(1, len(units))) as pool:
        try:
            preparing = list(pool.map(_prepare, units))
            owner.spawn([server.launch(place) for server, place in units], sandbox)
            began = time.monotonic()
            pairs = zip(units, preparing, strict=True)
            for future in as_completed([pool.submit(follow, unit, before, began) for unit, before in pairs]):
                future.result()
        except BaseException:
            cancelled.set()  # the pool waits for its threads
            raise


def _prepare(unit: Unit) -> float:
    server, place = unit
    began = time.monotonic()
    place.home.mkdir(parents=True, exist_ok=True)
    place.log.parent.mkdir(parents=True, exist_ok=True)
    server.prepare(place)
    return time.monotonic() - began
