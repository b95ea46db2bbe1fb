"""Reads all units of a platform side by side, and keeps what was read as it goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from heavylift.errors import HeavyliftError, IncompleteError, TransientError
from heavylift.evidence.inventory_records import UnitRecord
from heavylift.inventory.parts import Parts
from heavylift.inventory.reading import Read, Unit, UnitReader
from heavylift.platforms.control import Account, ControlPlane

_UNITS_AT_ONCE = 8
_NAMED = 5


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    units_done: int
    units: int
    components: int
    doing: str


Tell = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Collected:
    """What came of all units, by name."""

    units: dict[str, UnitRecord]
    kept: int


class Collector:
    """One run of reading.

    :param stop: set when the run is cancelled; requests that have not been sent are not.
    """

    def __init__(
        self,
        plane: ControlPlane,
        account: Account,
        parts: Parts,
        platform: str,
        *,
        parallel: int,
        stop: threading.Event,
        tell: Tell = silent,
    ) -> None:
        self._plane, self._account, self._parts, self._platform = plane, account, parts, platform
        self._stop, self._tell = stop, tell
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="inventory")
        self._loop = asyncio.get_running_loop()
        self._components = 0

    async def run(self, units: Sequence[Unit]) -> Collected:
        """Read every unit that was not read before.

        :raises IncompleteError: some could not be read for now; all others are kept.
        """
        done = await self._parts.finished(units)
        kept = len(done)
        self._components = sum(record.components for record in done.values())
        failed: dict[str, TransientError] = {}
        limit = asyncio.Semaphore(_UNITS_AT_ONCE)

        async def read(unit: Unit) -> None:
            async with limit:
                try:
                    done[unit.name] = await self._unit(unit)
                except TransientError as error:
                    failed[unit.name] = error
                    return
                self._tell(Progress(len(done), len(units), self._components, unit.name))

        try:
            async with asyncio.TaskGroup() as group:
                for unit in units:
                    if unit.name not in done:
                        group.create_task(read(unit))
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        finally:
            self._stop_threads()
        if failed:
            raise _incomplete(failed, len(units), self._components)
        return Collected(done, kept)

    def _stop_threads(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _unit(self, unit: Unit) -> UnitRecord:
        kept = await self._parts.kept(unit)
        reader = UnitReader(self._plane, self._account, unit, self._platform)
        running = asyncio.ensure_future(asyncio.to_thread(self._read, unit, reader, kept.keys, kept.chunks))
        try:
            components, vanished = await asyncio.shield(running)
        except asyncio.CancelledError:
            self._stop.set()
            await asyncio.wait({running})
            raise
        components, vanished = components + kept.components, vanished + kept.vanished
        record = UnitRecord(
            native_type=unit.row.native_type,
            region=unit.place,
            listed=components + vanished,
            components=components,
            vanished=vanished,
            findings=tuple(reader.troubles.found.values()),
        )
        await self._parts.finish(unit, record)
        return record

    def _read(self, unit: Unit, reader: UnitReader, known: set[str], number: int) -> tuple[int, int]:
        """Read one unit in a thread; chunks are written by the event loop."""
        components = vanished = 0
        for chunk in reader.chunks(self._spread, known.__contains__):
            number += 1
            asyncio.run_coroutine_threadsafe(self._parts.add(unit, number, chunk), self._loop).result()
            here = sum(read.component is not None for read in chunk)
            components, vanished = components + here, vanished + len(chunk) - here
            self._components += here
        return components, vanished

    def _spread(self, act: Callable[[dict[str, Any]], Read], items: list[dict[str, Any]]) -> Iterable[Read]:
        return self._pool.map(act, items)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that counts: ours before others'."""
    leaves: list[BaseException] = []
    rest: list[BaseException] = [group]
    while rest:
        error = rest.pop()
        if isinstance(error, BaseExceptionGroup):
            rest += error.exceptions
        else:
            leaves.append(error)
    ours = [error for error in leaves if isinstance(error, HeavyliftError)]
    return (ours or leaves)[0]


def _incomplete(failed: dict[str, TransientError], units: int, components: int) -> IncompleteError:
    first = next(iter(failed.values()))
    names = ", ".join(sorted(failed)[:_NAMED]) + (" …" if len(failed) > _NAMED else "")
    return IncompleteError(
        "taking the inventory",
        got=f"no answer for {len(failed)} of {units} types and regions ({names}); the first:"
        f" {first.what}: {first.got}",
        expected="an answer for each",
        state=f"{units - len(failed)} were read, with {components} components, and are kept; no inventory was"
        " written",
        remedy="run the same command again: it reads only what is missing; lower --max-requests where the"
        " platform throttles",
        code="7621",
    )
