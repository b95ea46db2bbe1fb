"""Where a secret could have been left: the arguments of any process, and every row of a database."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql

from tests.support.canary import Canary

_EVERY_SECONDS = 0.05


class SeenArguments:
    """Looks at the arguments of all processes of this machine for as long as it is open.

    :ivar found: ``name: program`` for each secret that was seen; the arguments themselves are not kept.
    :ivar looked: how many arguments were read.
    """

    def __init__(self, canaries: Mapping[str, Canary]) -> None:
        self.found: set[str] = set()
        self.looked = 0
        self._canaries = canaries
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> SeenArguments:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        known: dict[str, bytes] = {}
        while not self._ends.wait(_EVERY_SECONDS):
            seen: dict[str, bytes] = {}
            for each in Path("/proc").iterdir():
                if each.name.isdigit():
                    try:
                        seen[each.name] = (each / "cmdline").read_bytes()
                    except OSError:
                        continue  # it has ended meanwhile
            for pid, data in seen.items():
                if data and known.get(pid) != data:
                    self._look(data)
            known = seen

    def _look(self, data: bytes) -> None:
        self.looked += 1
        for name, canary in self._canaries.items():
            if canary.in_text(data):
                self.found.add(f"{name}: {data.split(bytes(1))[0].decode(errors='replace')}")


def dump_all(address: str, file: Path) -> set[str]:
    """Write every row of every table of a PostgreSQL as text, and return the tables."""
    with psycopg.connect(address) as session, file.open("w") as out:
        names = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            rows = session.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name)))
            out.writelines(f"{name} {row[0]}\n" for row in rows)
    return {name for (name,) in names}
