"""Scans the objects of one place: which parts are drawn, and each of them read by its format."""

from __future__ import annotations

import asyncio
import io
import threading
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from heavylift.aio import in_thread
from heavylift.compliance.blocks import block_at, unpacked
from heavylift.compliance.gathering import Gathered, safe_name
from heavylift.compliance.json_files import take_document, take_json
from heavylift.compliance.parquet import row_groups, take_row_group
from heavylift.compliance.requests import ScanRequest
from heavylift.compliance.text_files import (
    Header,
    header_of,
    is_binary,
    take_csv,
    take_text,
)
from heavylift.compliance.units import BLOCK_BYTES, Format, Readable, Unit, blocks, drawn, readable
from heavylift.errors import PreconditionError
from heavylift.patterns import in_quarantine, selector
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.range_files import RangeFile, range_file
from heavylift.platforms.wiring import open_store

MOST_DOCUMENT_BYTES = 16 * 1024 * 1024
"""Of a JSON document of many lines that is taken apart by fields; a larger one is read as text."""
_DAMAGED = "damaged: it cannot be read by its format"


@dataclass(frozen=True)
class Drawn:
    """What was drawn and read.

    :param objects: of which something was read; ``objects_total`` were listed.
    """

    units: int
    units_total: int
    objects: int
    objects_total: int


Tell = Callable[[tuple[int, int]], None]


async def scan_files(request: ScanRequest, place: Place, gathered: Gathered, tell: Tell) -> Drawn:
    """Read what is drawn of the objects below a place, in a thread; the store is only read.

    :raises NotFoundError: no such container.
    :raises CredentialError: refused.
    """
    async with open_store(place.location, place.connection) as store:
        await store.check()
        files = await _listed(store, place.location.prefix, request)
        loop = asyncio.get_running_loop()

        def work(stop: threading.Event, relay: Tell) -> Drawn:
            return _Scan(store, loop, request, gathered, stop, relay).run(files)

        return await in_thread(work, tell)


async def _listed(store: ObjectStore, prefix: str, request: ScanRequest) -> list[Readable]:
    wanted = selector(request.include, request.exclude)
    found = [
        readable(item)
        async for page in store.list_pages(prefix)
        for item in page
        if not item.key.endswith("/") and not in_quarantine(item.key) and wanted(item.key[len(prefix) :])
    ]
    return sorted(found, key=lambda file: file.item.key)


class _Scan:
    """One scan, in its own thread; requests go to the loop."""

    def __init__(
        self,
        store: ObjectStore,
        loop: asyncio.AbstractEventLoop,
        request: ScanRequest,
        gathered: Gathered,
        stop: threading.Event,
        tell: Tell,
    ) -> None:
        self._store, self._loop, self._request = store, loop, request
        self._gathered, self._stop, self._tell = gathered, stop, tell
        self._headers: dict[str, Header] = {}
        self._left: set[str] = set()

    def run(self, files: list[Readable]) -> Drawn:
        """Draw the units, and read them."""
        counts = []
        for file in files:
            self._go_on()
            counts.append((file, self._units_of(file)))
        wanted = None if self._request.everything else self._request.units
        total = sum(count for _, count in counts)
        units, objects, last = 0, 0, ""
        for unit in drawn(counts, wanted, self._request.seed):
            self._go_on()
            if unit.file.item.key in self._left:
                continue
            self._read(unit)
            units += 1
            objects += unit.file.item.key != last
            last = unit.file.item.key
            self._tell((units, total if wanted is None else min(wanted, total)))
        return Drawn(units, total, objects, len(files))

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise InterruptedError

    def _units_of(self, file: Readable) -> int:
        if file.format is Format.NONE:
            reason = f"files of the kind .{file.extension} are not looked into"
            self._gathered.leave("object", reason, file.item.size_bytes)
            return 0
        if file.format is not Format.PARQUET:
            return blocks(file)
        try:
            with closing(self._open(file.item)) as source:
                return row_groups(source)
        except (ValueError, OSError):
            self._leave(file, _DAMAGED)
            return 0

    def _open(self, item: ListedObject) -> RangeFile:
        return range_file(self._store, item, self._loop)

    def _leave(self, file: Readable, reason: str) -> None:
        self._left.add(file.item.key)
        self._gathered.leave("object", reason, file.item.size_bytes)

    def _read(self, unit: Unit) -> None:
        file, key = unit.file, unit.file.item.key
        name = f"{safe_name(key)}#{unit.number}"
        try:
            with closing(self._open(file.item)) as source:
                if file.format is Format.PARQUET:
                    take_row_group(self._gathered, source, unit.number, name)
                elif file.packed:
                    self._packed(file, source, name)
                else:
                    self._block(unit, source, name)
        except PreconditionError:
            # What changes while it is read is told as such: its parts would belong to two objects.
            self._leave(file, "changed since it was listed")
        except (ValueError, OSError, EOFError, zlib.error):
            self._leave(file, _DAMAGED)

    def _block(self, unit: Unit, source: RangeFile, name: str) -> None:
        file, size = unit.file, unit.file.item.size_bytes
        data = block_at(_buffered(source), unit.number, size)
        self._gathered.bytes_read += len(data)
        if is_binary(data):
            self._leave(file, "binary, or text in UTF-16, by its content")
            return
        if file.format is Format.CSV and file.item.key not in self._headers:
            self._headers = {file.item.key: header_of(_head(source))}
        if (
            file.format is Format.JSON
            and not unit.number
            and size <= MOST_DOCUMENT_BYTES
            and _is_document(data)
        ):
            source.seek(0)
            if take_document(self._gathered, source.read(size), name):
                # The whole document is read with its first block.
                self._left.add(file.item.key)
                return
        self._records(file, data, name, first=not unit.number)

    def _packed(self, file: Readable, source: RangeFile, name: str) -> None:
        row = 1
        for number, data in enumerate(unpacked(_buffered(source))):
            self._go_on()
            self._gathered.bytes_read += len(data)
            if is_binary(data):
                self._leave(file, "binary, or text in UTF-16, by its content")
                return
            if file.format is Format.CSV and not number:
                self._headers = {file.item.key: header_of(data)}
            row += self._records(file, data, name, first=not number, row=row)

    def _records(self, file: Readable, data: bytes, name: str, *, first: bool, row: int = 1) -> int:
        if file.format is Format.CSV:
            header = self._headers[file.item.key]
            return take_csv(self._gathered, header, data[header.size_bytes :] if first else data, name, row)
        take = take_json if file.format is Format.JSON else take_text
        return take(self._gathered, data, name, row)


def _buffered(source: RangeFile) -> io.BufferedReader:
    return io.BufferedReader(source, buffer_size=BLOCK_BYTES)


def _head(source: RangeFile) -> bytes:
    source.seek(0)
    return source.read(64 * 1024) or b""


def _is_document(data: bytes) -> bool:
    start = data.lstrip()[:2]
    return (
        start.startswith(b"[")
        or start in {b"{\n", b"{\r"}
        or (start == b"{ " and b"}" not in data.split(b"\n", 1)[0])
    )
