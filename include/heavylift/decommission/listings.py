"""Both sides of a dataset, listed into a file on this machine: memory does not grow with their size."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from heavylift.checksums import OF_PARTS, Algorithm, Checksums
from heavylift.decommission.rows import PlannedRow
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.versions import KeepsVersions, ObjectVersion

_TABLES = """
CREATE TABLE source (key TEXT, version TEXT, version_id TEXT, size INTEGER, modified_us INTEGER,
                     marker INTEGER, newest INTEGER, sums TEXT, reason TEXT, until TEXT);
CREATE TABLE target (key TEXT PRIMARY KEY, size INTEGER, sums TEXT) WITHOUT ROWID;
CREATE TABLE planned (key TEXT, version TEXT, version_id TEXT, size INTEGER, batch INTEGER);
"""
_INDEXES = "CREATE INDEX source_key ON source (key, version_id)"
_SAME = (Algorithm.ETAG, *OF_PARTS)
"""Checksums that differ between stores although the bytes do not: only their being equal proves something."""


class Listings:
    """The listings of one dataset; close it when done.

    Keys are kept as JSON text, which holds any of them.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES}")
        self.by_version = False

    def __enter__(self) -> Listings:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    async def read_source(self, store: ObjectStore) -> None:
        """List the source, with all versions where it keeps them."""
        prefix = store.location.prefix
        if isinstance(store, KeepsVersions) and await store.keeps_versions():
            self.by_version = True
            async for versions in store.list_versions(prefix):
                self._add(_of_version(each) for each in versions)
        else:
            async for page in store.list_pages(prefix):
                self._add(_of_object(each) for each in page)
        self._db.execute(_INDEXES)
        self._mark_newest()

    async def read_target(self, store: ObjectStore) -> None:
        """List the target by relative keys."""
        prefix = store.location.prefix
        async for page in store.list_pages(prefix):
            self._db.executemany(
                "INSERT OR REPLACE INTO target VALUES (?, ?, ?)",
                [
                    (_text(each.key.removeprefix(prefix)), each.size_bytes, _sums_text(each.checksums))
                    for each in page
                ],
            )

    def read_plan(self, batches: Iterable[tuple[PlannedRow, ...]]) -> None:
        """Take the rows of a plan in, by the number of their batch."""
        for number, batch in enumerate(batches):
            self._db.executemany(
                "INSERT INTO planned VALUES (?, ?, ?, ?, ?)",
                [(_text(row.key), row.version, row.version_id, row.size_bytes, number) for row in batch],
            )
        self._db.execute("CREATE INDEX planned_key ON planned (key, version_id)")

    def leave_out(self, keys: Iterable[tuple[str, str, str]]) -> None:
        """Keep objects, with all their versions: whole key, reason, until when."""
        self._db.executemany(
            "UPDATE source SET reason = ?2, until = ?3 WHERE key = ?1 AND reason IS NULL",
            [(_text(key), reason, until) for key, reason, until in keys],
        )

    def keys(self) -> Iterator[str]:
        """Yield each whole key once."""
        for (key,) in self._db.execute("SELECT DISTINCT key FROM source"):
            yield str(json.loads(key))

    def with_history(self) -> list[str]:
        """Return whole keys that have older versions or delete markers."""
        query = "SELECT key FROM source GROUP BY key HAVING count(*) > 1 OR max(marker) = 1"
        return [str(json.loads(key)) for (key,) in self._db.execute(query)]

    def outside(
        self, sizes: tuple[int | None, int | None], moments: tuple[int | None, int | None]
    ) -> list[str]:
        """Return whole keys of newest objects out of bounds: size from and to, written from and before."""
        query = (
            "SELECT key FROM source WHERE newest AND (coalesce(size < ?1, 0) OR coalesce(size > ?2, 0)"
            " OR coalesce(modified_us < ?3, 0) OR coalesce(modified_us >= ?4, 0))"
        )
        return [str(json.loads(key)) for (key,) in self._db.execute(query, [*sizes, *moments])]

    def pairs(self, prefix: str) -> Iterator[tuple[str, int, Checksums, int | None, Checksums]]:
        """Yield whole key, size and checksums of each newest object, and those of its copy on the target."""
        self._db.create_function("relative", 1, lambda key: _text(json.loads(key).removeprefix(prefix)))
        query = (
            "SELECT s.key, s.size, s.sums, t.size, t.sums FROM source s LEFT JOIN target t"
            " ON t.key = relative(s.key) WHERE s.newest AND NOT s.marker AND s.reason IS NULL"
        )
        for key, size, sums, there, their_sums in self._db.execute(query):
            yield str(json.loads(key)), size, _sums(sums), there, _sums(their_sums)

    def chosen(self) -> Iterator[PlannedRow]:
        """Yield what is not left out, in the order of the keys."""
        query = (
            "SELECT key, version, version_id, size, marker FROM source WHERE reason IS NULL"
            " ORDER BY key, modified_us DESC, version_id"
        )
        for key, version, version_id, size, marker in self._db.execute(query):
            yield PlannedRow(str(json.loads(key)), version, version_id, size, bool(marker))

    def counts(self) -> dict[str, int]:
        """Return objects, versions, markers and bytes of what is not left out."""
        row = self._db.execute(
            "SELECT count(DISTINCT key), count(*), coalesce(sum(marker), 0), coalesce(sum(size), 0)"
            " FROM source WHERE reason IS NULL"
        ).fetchone()
        return dict(zip(("objects", "versions", "markers", "size_bytes"), row, strict=True))

    def left_out(self) -> list[tuple[str, str, int, int]]:
        """Return each reason with its day, objects and bytes."""
        return self._db.execute(
            "SELECT reason, until, count(DISTINCT key), sum(size) FROM source WHERE reason IS NOT NULL"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()

    def written_after(self, moment_us: int) -> tuple[int, str]:
        """Return how many objects were written after a moment, and one of them."""
        count, key = self._db.execute(
            "SELECT count(*), min(key) FROM source WHERE modified_us > ? AND newest", [moment_us]
        ).fetchone()
        return int(count), str(json.loads(key)) if key else ""

    def changed(self, may_be_gone: set[int]) -> list[str]:
        """Return planned keys that are no more as planned; those of some batches may be gone."""
        query = (
            "SELECT p.key, p.batch FROM planned p LEFT JOIN source s"
            " ON s.key = p.key AND s.version_id = p.version_id AND s.version = p.version AND s.size = p.size"
            " WHERE s.key IS NULL"
        )
        return [str(json.loads(key)) for key, batch in self._db.execute(query) if batch not in may_be_gone]

    def still_there(self) -> tuple[int, str]:
        """Return how many planned rows are on the source by name, whatever their content, and one of them."""
        count, key = self._db.execute(
            "SELECT count(*), min(p.key) FROM planned p"
            " WHERE EXISTS (SELECT 1 FROM source s WHERE s.key = p.key AND s.version_id = p.version_id)"
        ).fetchone()
        return int(count), str(json.loads(key)) if key else ""

    def added(self, moment_us: int) -> int:
        """Return how many rows that no plan names were written after a moment."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM source s WHERE modified_us > ?"
            " AND NOT EXISTS (SELECT 1 FROM planned p WHERE p.key = s.key AND p.version_id = s.version_id)",
            [moment_us],
        ).fetchone()
        return int(count)

    def beside_plan(self) -> tuple[int, int]:
        """Return how many rows of the source no plan names, and their bytes."""
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM source s"
            " WHERE NOT EXISTS (SELECT 1 FROM planned p WHERE p.key = s.key AND p.version_id = s.version_id)"
        ).fetchone()
        return int(count), int(size)

    def _add(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._db.executemany("INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, 0, ?, NULL, NULL)", rows)

    def _mark_newest(self) -> None:
        self._db.execute(
            "UPDATE source SET newest = 1 WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER"
            " (PARTITION BY key ORDER BY modified_us DESC, rowid) AS place FROM source) WHERE place = 1)"
        )


def judged(ours: Checksums, theirs: Checksums) -> bool | None:
    """Tell whether checksums prove two objects equal or different; None where they prove neither."""
    if _md5s(ours) & _md5s(theirs):
        return True
    common = set(ours) & set(theirs)
    if any(ours[name] == theirs[name] for name in common):
        return True
    return False if any(name not in _SAME for name in common) else None


def _md5s(sums: Checksums) -> set[str]:
    return {value for name, value in sums.items() if name in (Algorithm.MD5, Algorithm.ETAG)}


def _of_object(each: ListedObject) -> tuple[Any, ...]:
    sums = _sums_text(each.checksums)
    return (_text(each.key), each.version, "", each.size_bytes, each.modified_us, 0, sums)


def _of_version(each: ObjectVersion) -> tuple[Any, ...]:
    found = (_text(each.key), each.version, each.version_id, each.size_bytes, each.modified_us)
    sums = _sums_text({Algorithm.ETAG: each.version} if each.version else {})
    return (*found, int(each.marker), sums)


def _text(key: str) -> str:
    return json.dumps(key)


def _sums_text(sums: Checksums) -> str:
    return json.dumps({name.value: value for name, value in sums.items()})


def _sums(text: str | None) -> Checksums:
    return {Algorithm(name): value for name, value in json.loads(text).items()} if text else {}
