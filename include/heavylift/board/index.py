"""The lines of all migrations, kept in memory: a page is made from these, never from a store.

A round of reading lists each migration and reads records only of those whose listing has changed. Rounds
are made by :class:`heavylift.board.keeper.Keeper`, beside the requests.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from heavylift.board.lines import MigrationLine, blank_line, read_line
from heavylift.board.listing import read_listing
from heavylift.board.shelf import SpecShelf
from heavylift.connections import Connection
from heavylift.errors import HeavyliftError
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.spec import LoadedSpec, MigrationSpec, SpecFileError

STORE_SECONDS = 10.0
"""How long one migration's evidence may take to be read before its store counts as unreachable."""

_AT_ONCE = 16

LookUp = Callable[[str], Connection]


@dataclass(frozen=True)
class Snapshot:
    """What the index knows at one moment.

    :param has_specs: whether the specs were read at least once.
    :param unread: migrations whose evidence was not read yet.
    :param unreachable: what is wrong with stores, a line each.
    :param broken: specs that cannot be used, by file.
    :param read_at: when the last round ended; None before the first.
    """

    lines: tuple[MigrationLine, ...] = ()
    has_specs: bool = False
    unread: int = 0
    unreachable: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    read_at: datetime | None = None


@dataclass
class _Entry:
    spec: MigrationSpec
    digest: str
    line: MigrationLine
    read_at: float | None = None
    read_for: str = ""


class BoardIndex:
    """Keeps one line for each migration of a directory of specs.

    :param directory: of the specs; asked in each round.
    :param look_up: from a connection's id to the connection.
    :param store_seconds: see :data:`STORE_SECONDS`.
    """

    def __init__(
        self,
        directory: Callable[[], Path],
        look_up: LookUp,
        *,
        store_seconds: float = STORE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._look_up = look_up
        self._seconds = store_seconds
        self._clock = clock
        self._shelf = SpecShelf()
        self._entries: dict[str, _Entry] = {}
        self._unreachable: dict[tuple[str, str], str] = {}
        self._broken: tuple[str, ...] = ()
        self._read_at: datetime | None = None
        self._lock = threading.Lock()
        self._round = threading.Lock()
        self._has_specs = threading.Event()

    def snapshot(self) -> Snapshot:
        """Return what is known; touches no store and no file."""
        with self._lock:
            entries = list(self._entries.values())
            return Snapshot(
                has_specs=self._has_specs.is_set(),
                lines=tuple(entry.line for entry in entries),
                unread=sum(not entry.line.fingerprint for entry in entries),
                unreachable=tuple(dict.fromkeys(self._unreachable.values())),
                broken=self._broken,
                read_at=self._read_at,
            )

    def wait_for_specs(self, seconds: float) -> bool:
        """Wait until the specs were read once, at most so many seconds; return whether they were."""
        return self._has_specs.wait(seconds)

    def spec(self, migration: str) -> MigrationSpec | None:
        """Return a migration's spec, reading the directory where it is not known yet."""
        if migration not in self._entries:
            self.read_specs()
        entry = self._entries.get(migration)
        return entry.spec if entry else None

    def read_specs(self) -> None:
        """Bring the specs up to date; lines of migrations that are known are kept."""
        found = self._shelf.specs(self._directory())
        with self._lock:
            self._entries = {each.spec.migration: self._entry(each) for each in found.valid}
            self._broken = tuple(_first_problem(error) for error in found.broken)
        self._has_specs.set()

    def due(self, names: Collection[str] | None, older_than: float) -> list[str]:
        """Return which of ``names`` (all where None) were read longer than so many seconds ago, or never."""
        now = self._clock()
        with self._lock:
            wanted = self._entries if names is None else [each for each in names if each in self._entries]
            ages = {name: self._entries[name].read_at for name in wanted}
        return [name for name, at in ages.items() if at is None or now - at >= older_than]

    def refresh(self, names: Iterable[str] | None = None) -> None:
        """Read the evidence of ``names`` (all where None) again. Runs in this thread; one at a time.

        Never raises for a store or a record: what cannot be read is told in the snapshot.
        """
        with self._round:
            if names is None:
                self.read_specs()
            with self._lock:
                chosen = list(self._entries) if names is None else [n for n in names if n in self._entries]
                groups: dict[tuple[str, str], list[_Entry]] = {}
                for name in chosen:
                    entry = self._entries[name]
                    groups.setdefault(_place(entry.spec), []).append(entry)
            asyncio.run(self._read_groups(groups))
            with self._lock:
                self._read_at = utc_now()

    def _entry(self, loaded: LoadedSpec) -> _Entry:
        known = self._entries.get(loaded.spec.migration)
        if known is not None and known.digest == loaded.digest:
            return known
        return _Entry(loaded.spec, loaded.digest, blank_line(loaded.spec))

    async def _read_groups(self, groups: dict[tuple[str, str], list[_Entry]]) -> None:
        await asyncio.gather(*(self._read_group(place, entries) for place, entries in groups.items()))

    async def _read_group(self, place: tuple[str, str], entries: list[_Entry]) -> None:
        url, conn_id = place
        try:
            connection = await asyncio.to_thread(self._look_up, conn_id)
            async with open_evidence(url or None, connection, create=False) as store:
                # The first one alone: where the store is gone, the others need not find that out too.
                await self._read(store, entries[0])
                limit = asyncio.Semaphore(_AT_ONCE)

                async def read(entry: _Entry) -> None:
                    async with limit:
                        await self._read(store, entry)

                await asyncio.gather(*(read(entry) for entry in entries[1:]))
        except (HeavyliftError, TimeoutError, OSError) as error:
            self._tell(place, f"evidence store of connection {conn_id}: {_words(error, self._seconds)}")
            with self._lock:
                for entry in entries:  # they have been tried: the next round is the next try
                    entry.read_at = self._clock()
        else:
            self._tell(place, "")

    async def _read(self, store: EvidenceStore, entry: _Entry) -> None:
        async with asyncio.timeout(self._seconds):
            listing = await read_listing(store, entry.spec.migration)
            line = entry.line
            if listing.fingerprint != line.fingerprint or entry.read_for != entry.digest:
                line = await read_line(store, entry.spec, listing)
        with self._lock:
            entry.line, entry.read_at, entry.read_for = line, self._clock(), entry.digest

    def _tell(self, place: tuple[str, str], words: str) -> None:
        with self._lock:
            if words:
                self._unreachable[place] = words
            else:
                self._unreachable.pop(place, None)


def _place(spec: MigrationSpec) -> tuple[str, str]:
    return spec.evidence.url or "", spec.evidence.connection


def _first_problem(error: SpecFileError) -> str:
    if not error.problems:
        return f"{error.file}: {error.got}"
    more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
    return f"{error.file}: {error.problems[0].render()}{more}"


def _words(error: BaseException, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, HeavyliftError):
        return f"{error.got} [HL-{error.code}]"
    return type(error).__name__
