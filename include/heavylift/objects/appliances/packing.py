"""Packing: which objects go on which device, computed out of core by DuckDB.

Two arrangements are tried and the one with fewer devices is taken, on a tie the first:

- ``ranges``: keys in order, a new device where the next object does not fit any more (next fit).
  Every device holds one range of keys.
- ``mixed``: objects above a hundredth of a device first, the largest first, each on the fullest
  device that still takes it (best fit decreasing); all others fill the gaps in key order. There
  are at most a hundred such large objects for each full device, so memory does not grow with the
  number of objects.

How many devices that takes at most, for ``T`` bytes in ``N`` objects of at most ``s`` bytes, with
``C`` bytes and ``F`` files a device (see :func:`most_devices`)::

    1 + floor(N / F) + floor(T / max(C - s, C / 2))

A device is left before the last one only when its files are full, or when the next object did
not fit: then it holds more than ``C - s`` bytes. Of two such devices one after the other (in
``mixed``: of any two), the first and the object that did not fit hold more than ``C`` together,
so they are more than half full on average. No packing at all can do with fewer than
``max(ceil(T / C), ceil(N / F))``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.evidence.records import Tally
from heavylift.facts.devices import BLOCK_BYTES, FILE_OVERHEAD_BYTES, DeviceModel
from heavylift.objects.appliances.database import count
from heavylift.objects.appliances.escaping import PARENTS, mark_escaped
from heavylift.objects.diff import Refused
from heavylift.objects.markers import Markers, markers_of
from heavylift.objects.row_files import insert_rows

if TYPE_CHECKING:
    import duckdb

LARGE_SHARE = 100
"""An object of more than a hundredth of a device counts as large."""

_BATCH = 10_000

TOO_LARGE = "too-large"
NO_DEVICE_LEFT = "no-device-left"
ON_TARGET = "already-on-target"
NOT_HOLDABLE = "target-cannot-hold"
ONLINE_REASONS = {
    TOO_LARGE: "larger than one device, or than one object that its ingest takes",
    NO_DEVICE_LEFT: "all devices of the spec's count are full",
    ON_TARGET: "the target holds something under this key already",
    NOT_HOLDABLE: "the target cannot hold this key: the transfer fails at it or skips it, as the spec says",
}
"""Why an object goes online: rule and words."""


@dataclass(frozen=True)
class Room:
    """What one device takes.

    :param size_bytes: of files with their blocks, as ``fill`` leaves them.
    """

    size_bytes: int
    files: int
    max_object_bytes: int
    max_path_bytes: int


@dataclass(frozen=True)
class Packed:
    """How the objects were packed.

    :param lower_bound: no packing does with fewer devices.
    :param upper_bound: this one never takes more; both before ``count`` cut devices off.
    """

    arrangement: str
    devices: int
    lower_bound: int
    upper_bound: int


def room_on(model: DeviceModel, fill: float, folder: str) -> Room:
    """Return what one device of ``model`` takes when ``fill`` of it is to be filled."""
    capacity = int((model.capacity_bytes or 0) * fill)
    return Room(
        size_bytes=capacity,
        files=model.max_files or 2**62,
        max_object_bytes=min(model.max_object_bytes or 2**62, capacity),
        max_path_bytes=model.max_path_bytes - len(folder.encode()) - 1,
    )


def occupied(size_bytes: int) -> int:
    """Return the bytes that a file takes on a device."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES + FILE_OVERHEAD_BYTES


def fewest_devices(total_bytes: int, objects: int, room: Room) -> int:
    """Return the number of devices below which no packing can be."""
    return max(-(-total_bytes // max(room.size_bytes, 1)), -(-objects // room.files))


def most_devices(total_bytes: int, objects: int, largest_bytes: int, room: Room) -> int:
    """Return the number of devices above which these arrangements never go; see the module."""
    if not objects:
        return 0
    least_filled = max(2 * (room.size_bytes - largest_bytes), room.size_bytes)
    return 1 + objects // room.files + 2 * total_bytes // max(least_filled, 1)


class Packing:
    """One packing in a database of its own.

    :param source: listing of the source (``heavylift.objects.listing``).
    :param target: listing of the target; what it has goes online, whatever it is.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, source: Path, target: Path | None, room: Room) -> None:
        self._db, self._room = db, room
        db.execute("CREATE TABLE online (rel VARCHAR, rule VARCHAR)")
        db.execute(
            "CREATE TABLE object AS SELECT rel, size_bytes, version,"
            " CAST(ceil(size_bytes / $block) * $block AS BIGINT) + $more AS occupied"
            " FROM read_parquet($source)",
            {"block": BLOCK_BYTES, "more": FILE_OVERHEAD_BYTES, "source": str(source)},
        )
        if target is not None:
            self._send_online(ON_TARGET, "rel IN (SELECT rel FROM read_parquet(?))", str(target))

    def keys(self, *_actions: str) -> Iterator[list[str]]:
        """Yield the keys of all objects that may go on a device, in lists."""
        cursor = self._db.cursor()
        cursor.execute("SELECT rel FROM object ORDER BY rel")
        while rows := cursor.fetchmany(_BATCH):
            yield [row[0] for row in rows]

    def refuse(self, refused: list[Refused]) -> None:
        """Send objects online that the target cannot hold."""
        if refused:
            insert_rows(self._db, "online", [(item.rel, NOT_HOLDABLE) for item in refused])
            self._db.execute("DELETE FROM object WHERE rel IN (SELECT rel FROM online)")

    def parents_that_are_objects(self, *, going: bool = False) -> list[str]:
        """Return keys that are also a folder of another key; all of them are to be written."""
        return [row[0] for row in self._db.execute(f"{PARENTS} ORDER BY rel").fetchall()]

    def markers(self) -> Markers:
        """Return the keys that end in a slash and hold bytes, or lie beside the same key without it."""
        return markers_of(self._db, "SELECT rel, size_bytes, true AS goes FROM object")

    def pack(self, model: DeviceModel, count_limit: int | None) -> Packed:
        """Give each object a device, or a reason to go online; afterwards the tables can be read."""
        room = self._room
        self._send_online(TOO_LARGE, "size_bytes > ? OR occupied > ?", room.max_object_bytes, room.size_bytes)
        mark_escaped(self._db, model.names, room.max_path_bytes)
        self._db.execute(
            "CREATE TABLE ordered AS SELECT row_number() OVER (ORDER BY rel) - 1 AS ord, *,"
            " coalesce(sum(occupied) OVER (ORDER BY rel ROWS UNBOUNDED PRECEDING), 0)::HUGEINT AS total"
            " FROM object ORDER BY rel"
        )
        objects, total, largest = self._figures()
        lower = fewest_devices(total, objects, room)
        devices, arrangement = self._arrange(lower)
        if count_limit is not None and devices > count_limit:
            self._db.execute("INSERT INTO online SELECT rel, ? FROM packed WHERE device >= ?",
                             [NO_DEVICE_LEFT, count_limit])  # fmt: skip
            self._db.execute("DELETE FROM packed WHERE device >= ?", [count_limit])
            devices = count_limit
        return Packed(arrangement, devices, lower, most_devices(total, objects, largest, room))

    def tally_online(self, source: Path) -> dict[str, Tally]:
        """Return number and bytes of what goes online, by rule."""
        rows = self._db.execute(
            "SELECT rule, count(*), sum(size_bytes)::BIGINT FROM online"
            " JOIN read_parquet(?) USING (rel) GROUP BY rule ORDER BY rule",
            [str(source)],
        ).fetchall()
        return {str(rule): Tally(objects=int(n), size_bytes=int(size)) for rule, n, size in rows}

    def device(self, number: int) -> tuple[Tally, int, int, str, str]:
        """Return a device's objects, bytes with blocks, escaped keys, and its first and last key."""
        row = self._db.execute(
            "SELECT count(*), sum(size_bytes)::BIGINT, sum(occupied)::BIGINT,"
            " count(*) FILTER (stored_path <> rel), min(rel), max(rel) FROM packed WHERE device = ?",
            [number],
        ).fetchall()[0]
        return Tally(objects=row[0], size_bytes=row[1]), int(row[2]), int(row[3]), row[4], row[5]

    def write_device(self, number: int, path: Path) -> None:
        """Write the rows of one device: key, stored path, size and version of each, by key."""
        self._db.execute(
            "COPY (SELECT rel, stored_path, size_bytes, version AS source_version FROM packed"
            " WHERE device = $device ORDER BY rel) TO $path (FORMAT parquet, COMPRESSION zstd)",
            {"device": number, "path": str(path)},
        )

    def write_online(self, path: Path) -> bool:
        """Write what goes online and why; False where nothing does."""
        self._db.execute(
            "COPY (FROM online ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
        )
        return count(self._db, "SELECT count(*) FROM online") > 0

    def _send_online(self, rule: str, condition: str, *values: object) -> None:
        self._db.execute(f"INSERT INTO online SELECT rel, ? FROM object WHERE {condition}", [rule, *values])  # noqa: S608
        self._db.execute(f"DELETE FROM object WHERE {condition}", list(values))  # noqa: S608

    def _figures(self) -> tuple[int, int, int]:
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(occupied), 0)::BIGINT, coalesce(max(occupied), 0) FROM ordered"
        ).fetchall()[0]
        return int(row[0]), int(row[1]), int(row[2])

    def _arrange(self, lower: int) -> tuple[int, str]:
        """Choose an arrangement and make the table ``packed`` of it."""
        ranges = self._runs("ordered", [])
        mixed: list[_Load] = []
        if len(ranges) > lower:
            mixed = self._place_large()
            gaps = self._fill_gaps(mixed)
            devices = max(len(mixed), 1 + max((device for device, _, _ in gaps), default=-1))
            if devices < len(ranges):
                self._make_packed(mixed, gaps, "small")
                return devices, "mixed"
        self._make_packed([], ranges, "ordered")
        return len(ranges), "ranges"

    def _runs(self, table: str, loads: Sequence[_Load]) -> list[tuple[int, int, int]]:
        """Cut ``table`` in key order into runs that fit: ``(device, first, last)``.

        :param loads: what devices hold already; behind them come empty ones.
        """
        number = count(self._db, f"SELECT count(*) FROM {table}")  # noqa: S608  (our own table's name)
        runs: list[tuple[int, int, int]] = []
        start, before, device = 0, 0, 0
        while start < number:
            free = loads[device] if device < len(loads) else _Load(self._room.size_bytes, self._room.files)
            row = self._db.execute(
                f"SELECT max(ord), max(total)::BIGINT FROM {table} WHERE ord >= ? AND ord < ? AND total <= ?",  # noqa: S608
                [start, start + min(free.files, number), before + free.size_bytes],
            ).fetchall()[0]
            if row[0] is not None:
                runs.append((device, start, int(row[0])))
                start, before = int(row[0]) + 1, int(row[1])
            device += 1
        return runs

    def _place_large(self) -> list[_Load]:
        """Place the large objects, best fit decreasing, and split off the small ones."""
        large = self._db.execute(
            "SELECT ord, occupied FROM ordered WHERE occupied * ? > ? ORDER BY occupied DESC, ord",
            [LARGE_SHARE, self._room.size_bytes],
        ).fetchall()
        self._db.execute(
            "CREATE TABLE small AS SELECT row_number() OVER (ORDER BY ord) - 1 AS ord, ord AS place,"
            " sum(occupied) OVER (ORDER BY ord ROWS UNBOUNDED PRECEDING)::HUGEINT AS total"
            " FROM ordered WHERE occupied * ? <= ?",
            [LARGE_SHARE, self._room.size_bytes],
        )
        return best_fit([(int(o), int(size)) for o, size in large], self._room)

    def _fill_gaps(self, loads: Sequence[_Load]) -> list[tuple[int, int, int]]:
        return self._runs("small", loads)

    def _make_packed(self, loads: Sequence[_Load], runs: Sequence[tuple[int, int, int]], table: str) -> None:
        import pyarrow as pa

        columns = list(zip(*runs, strict=True)) or [(), (), ()]
        placed = [(place, device) for device, load in enumerate(loads) for place in load.places]
        given = list(zip(*placed, strict=True)) or [(), ()]
        kinds = pa.int64()
        self._db.register(
            "run_rows", pa.table([pa.array(c, kinds) for c in columns], names=["device", "lo", "hi"])
        )
        self._db.register(
            "given_rows", pa.table([pa.array(c, kinds) for c in given], names=["place", "device"])
        )
        place = "place" if table == "small" else "ord"
        self._db.execute(
            "CREATE TABLE packed AS SELECT a.device, o.* EXCLUDE (ord, total) FROM ordered o JOIN ("  # noqa: S608
            f" SELECT t.{place} AS place, r.device FROM {table} t"
            " JOIN run_rows r ON t.ord BETWEEN r.lo AND r.hi"
            " UNION ALL SELECT place, device FROM given_rows) a ON a.place = o.ord"
        )
        self._db.unregister("run_rows")
        self._db.unregister("given_rows")


class _Load:
    """What a device still takes, and which large objects it holds."""

    def __init__(self, size_bytes: int, files: int) -> None:
        self.size_bytes, self.files = size_bytes, files
        self.places: list[int] = []

    def take(self, place: int, size_bytes: int) -> None:
        """Put one object on the device."""
        self.places.append(place)
        self.size_bytes -= size_bytes
        self.files -= 1


def best_fit(objects: Sequence[tuple[int, int]], room: Room) -> list[_Load]:
    """Place ``(object, bytes)``, given the largest first, each on the fullest device that takes it."""
    loads: list[_Load] = []
    free: list[
        tuple[int, int]
    ] = []  # (bytes left, device), sorted; devices whose files are full are not in it
    for place, size in objects:
        found = bisect_left(free, (size, -1))
        if found < len(free):
            device = free.pop(found)[1]
        else:
            device = len(loads)
            loads.append(_Load(room.size_bytes, room.files))
        loads[device].take(place, size)
        if loads[device].files:
            insort(free, (loads[device].size_bytes, device))
    return loads
