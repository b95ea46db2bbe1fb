"""Histories as tables of DuckDB, out of core: digests, differences, newest rows and joins by time.

Both sides are read as one shape: keys and features cast to the target's types, the event time in UTC, the
newest of rows that share key and event time last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import IntegrityError, PermanentError
from heavylift.registry.features.description import History, View, sql_type
from heavylift.registry.features.history_sql import (
    FORMS,
    PARTS,
    cast_of,
    moment_of,
    quoted,
    text_of,
    told_key,
)

if TYPE_CHECKING:
    import duckdb

SOURCE, TARGET = "source", "target"
MEMORY_BYTES = 512 * 2**20
_TIME, _CREATED, _DELETED, _ROW = "_time", "_created", "_deleted", "_row"


@dataclass(frozen=True)
class Summary:
    """What a whole history comes to.

    :param digest: of all rows, whatever their order.
    """

    rows: int
    keys: int
    first: str
    last: str
    digest: str


@dataclass(frozen=True)
class RowDifference:
    """One row that is not equal: ``missing`` on the target, ``extra`` there, or ``different``."""

    kind: str
    id: str
    fields: tuple[str, ...] = ()


@dataclass
class Histories:
    """The histories of one view on both sides.

    :param view: as the target holds it: its types are those that both sides are read as.
    :param deletions: rows that delete their key are compared, too: both sides keep such.
    :param whole_lists: lists that are null are read as empty ones.
    :param lacking: features that the files of a side do not have, by side.
    """

    db: duckdb.DuckDBPyConnection
    view: View
    deletions: bool = False
    whole_lists: bool = False
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self, side: str, paths: Sequence[str], history: History) -> None:
        """Make the table of a side.

        :raises IntegrityError: a column that rows are known by is not in the files, or does not fit.
        """
        listed = ", ".join(text_of(path) for path in paths)
        files = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        try:
            found = {str(row[0]) for row in self.db.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()}
        except Exception as error:
            raise _unread(self.view.name, side, type(error).__name__) from error
        needed = (*self.view.keys, self.view.event_time)
        if absent := [name for name in needed if name not in found]:
            raise _unread(self.view.name, side, f"files without {', '.join(absent)}")
        self.lacking[side] = tuple(name for name in self.view.features if name not in found)
        columns = [
            f"{self._whole(kind, cast_of(name, kind, found))} AS {quoted(name)}"
            for name, kind in self.view.columns.items()
        ]
        created = history.created if history.created in found else ""
        deleted = history.deleted if history.deleted in found else ""
        self.db.execute(
            f"CREATE OR REPLACE VIEW {side}_all AS SELECT {', '.join(columns)},"
            f" {moment_of(self.view.event_time, history.time_form)} AS {_TIME},"
            f" {moment_of(created, 'timestamp') if created else 'NULL::TIMESTAMP'} AS {_CREATED},"
            f" {f'coalesce(CAST({quoted(deleted)} AS BOOLEAN), false)' if deleted else 'false'} AS {_DELETED}"
            f" FROM {files}"
        )
        self.db.execute(
            f"CREATE OR REPLACE VIEW {side} AS SELECT *, hash({self._all}) AS {_ROW}"
            f" FROM {side}_all WHERE NOT {_DELETED}"
        )
        which = f"*, hash({self._all}, {_DELETED}) AS {_ROW} FROM {side}_all"
        kept = which if self.deletions else f"* FROM {side}"
        self.db.execute(f"CREATE OR REPLACE VIEW {side}_kept AS SELECT {kept}")
        # What is dated or keyed by nothing could be proved nowhere.
        empty = " OR ".join(f"{quoted(name)} IS NULL" for name in self.view.keys)
        bad = self._one(f"SELECT count(*) FROM {side} WHERE {_TIME} IS NULL OR {empty}")[0]
        if bad:
            raise _unread(self.view.name, side, f"{bad:,} rows without key or event time")

    def summary(self, side: str) -> Summary:
        """Return count, distinct keys, first and last event time, and a digest of a side."""
        rows, first, last, total, mixed = self._one(
            f"SELECT count(*), min({_TIME}), max({_TIME}), sum({_ROW}::HUGEINT), bit_xor({_ROW})"
            f" FROM {side}_kept"
        )
        keys = self._one(f"SELECT count(*) FROM (SELECT 1 FROM {side}_kept GROUP BY {self._keys})")[0]
        moments = [each.isoformat() if each is not None else "" for each in (first, last)]
        return Summary(rows, keys, moments[0], moments[1], f"{total or 0:x}-{mixed or 0:016x}")

    def differences(self, most: int) -> tuple[dict[str, int], list[RowDifference]]:
        """Return counts of equal, different, missing and extra rows, and the first of those that differ."""
        ids = f"{self._keys}, {_TIME}"
        sides = [
            f"(SELECT *, row_number() OVER (PARTITION BY {ids} ORDER BY {_ROW}) AS _n FROM {side}_kept)"
            for side in (SOURCE, TARGET)
        ]
        joined = f"{sides[0]} s FULL JOIN {sides[1]} t USING ({ids}, _n)"
        kind = (
            f"CASE WHEN t.{_ROW} IS NULL THEN 'missing' WHEN s.{_ROW} IS NULL THEN 'extra'"
            f" WHEN s.{_ROW} = t.{_ROW} THEN 'equal' ELSE 'different' END"
        )
        counts = dict.fromkeys(("equal", "different", "missing", "extra"), 0)
        counts |= dict(
            self.db.execute(f"SELECT {kind} AS kind, count(*) FROM {joined} GROUP BY kind").fetchall()
        )
        changed = ", ".join(
            f"CASE WHEN s.{quoted(name)} IS DISTINCT FROM t.{quoted(name)} THEN {text_of(name)} END"
            for name in self.view.features
        )
        rows = self.db.execute(
            f"SELECT {kind} AS kind, {self._keys}, {_TIME}, [{changed}] FROM {joined}"
            f" WHERE kind <> 'equal' ORDER BY {ids} LIMIT {int(most)}"
        ).fetchall()
        named = [
            RowDifference(
                row[0],
                f"{self.view.name}: {told_key(row[1:-2])} at {row[-2].isoformat()}Z",
                tuple(each for each in row[-1] or () if each) if row[0] == "different" else (),
            )
            for row in rows
        ]
        return counts, named

    def sample_keys(self, number: int, seed: int) -> list[tuple[object, ...]]:
        """Return keys of the source, drawn by a seed; those that are deleted are among them."""
        return list(
            self.db.execute(
                f"SELECT {self._keys} FROM {SOURCE}_all GROUP BY {self._keys}"
                f" ORDER BY hash({self._keys}, {int(seed)}), {self._keys} LIMIT {int(number)}"
            ).fetchall()
        )

    def newest_times(self, keys: Sequence[tuple[object, ...]]) -> list[float]:
        """Return when each key's newest row of the source became true, in seconds since 1970."""
        columns = ", ".join(
            f"{quoted(name)} {sql_type(self.view.key_types[name])}" for name in self.view.keys
        )
        self.db.execute(f"CREATE OR REPLACE TABLE sampled ({columns})")
        marks = ", ".join("?" for _ in self.view.keys)
        if keys:
            self.db.executemany(f"INSERT INTO sampled VALUES ({marks})", [list(key) for key in keys])
        rows = self.db.execute(
            f"SELECT {self._keys}, epoch_us(max({_TIME})) / 1e6 FROM {SOURCE}_all"
            f" SEMI JOIN sampled USING ({self._keys}) GROUP BY {self._keys}"
        ).fetchall()
        found = {tuple(row[:-1]): float(row[-1]) for row in rows}
        return [found[tuple(key)] for key in keys]

    def write(self, path: Path, side: str, history: History) -> int:
        """Write a side's rows as Parquet in the form that the target reads: one file, or one for each hour.

        The same rows always make the same files, so that a second writing changes nothing.

        :param path: of the file; of the folder where there is one for each hour.
        :param history: how rows are to lie there.
        :return: how many rows.
        """
        query = self._plain(f"{side}_all" if history.deleted else side, history)
        order = f" ORDER BY {_TIME}, {self._keys}, {_CREATED}, hash({self._all}, {_DELETED})"
        if not history.by_hour:
            return self._copied(query + order, path)
        parts = ", ".join(f"strftime({_TIME}, '{form}') AS {name}" for name, form in PARTS.items())
        self.db.execute(
            f"COPY ({query.replace('SELECT ', f'SELECT {parts}, ', 1)}{order}) TO {text_of(str(path))}"
            f" (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({', '.join(PARTS)}),"
            " FILENAME_PATTERN 'history_{i}')"
        )
        files = text_of(f"{path}/**/*.parquet")
        return int(self._one(f"SELECT count(*) FROM read_parquet({files}, hive_partitioning = false)")[0])

    def write_newest(self, path: Path, side: str, history: History, not_before: float) -> int:
        """Write the newest row of each key, but those older than a moment in seconds since 1970."""
        if history.sparse:
            self._newest_values("newest", side)
        else:
            self._newest("newest", side)
        where = f" WHERE epoch_us({_TIME}) >= {int(not_before * 1e6)}"
        return self._copied(self._plain("newest", replace(history, deleted="")) + where, path)

    def write_frame(self, path: Path, number: int, seed: int) -> int:
        """Write keys and moments near rows of the source: before, at and after them, and far after."""
        span = max(2 * self.view.ttl, 86_400)
        drawn = f"hash({self._keys}, {_TIME}, {int(seed)})"
        shift = f"(({drawn} // 3) % {span})::BIGINT"
        self.db.execute(
            f"CREATE OR REPLACE TABLE frame AS SELECT DISTINCT {self._keys},"
            f" {_TIME} + to_seconds(CASE {drawn} % 8 WHEN 0 THEN 0 WHEN 1 THEN -{shift} ELSE {shift} END)"
            f" AS event_timestamp FROM (SELECT * FROM {SOURCE} ORDER BY {drawn} LIMIT {int(number)})"
        )
        return self._copied("SELECT * FROM frame", path)

    def join(self, side: str, ttl: int) -> None:
        """Join the frame with a side's history: what was newest at each moment, if not too old."""
        self._unique(side)
        young = f"h.{_TIME} >= f.event_timestamp - to_seconds({ttl})" if ttl else f"h.{_TIME} IS NOT NULL"
        features = ", ".join(
            f"CASE WHEN {young} THEN h.{quoted(name)} END AS {quoted(name)}" for name in self.view.features
        )
        on = " AND ".join(f"f.{quoted(name)} = h.{quoted(name)}" for name in self.view.keys)
        keys = ", ".join(f"f.{quoted(name)}" for name in self.view.keys)
        self.db.execute(
            f"CREATE OR REPLACE TABLE joined_{side} AS SELECT {keys}, f.event_timestamp, {features}"
            f" FROM frame f ASOF LEFT JOIN unique_{side} h ON {on} AND f.event_timestamp >= h.{_TIME}"
        )

    def read_join(self, name: str, path: Path) -> None:
        """Take in what a feature store itself has joined."""
        moment = moment_of("event_timestamp", "timestamp")
        columns = ", ".join(
            f"{cast_of(each, kind, {each})} AS {quoted(each)}" for each, kind in self.view.columns.items()
        )
        self.db.execute(
            f"CREATE OR REPLACE TABLE joined_{name} AS SELECT {columns},"
            f" {moment} AS event_timestamp FROM read_parquet({text_of(str(path))})"
        )

    def unequal_joins(self, one: str, other: str, most: int) -> tuple[int, int, list[RowDifference]]:
        """Return how many rows the other join has, how many of one's differ there, and the first of these.

        A row that the other lacks counts as one without features: Feast leaves out what it found nothing for.
        """
        ids = f"{self._keys}, event_timestamp"
        changed = ", ".join(
            f"CASE WHEN s.{quoted(name)} IS DISTINCT FROM t.{quoted(name)} THEN {text_of(name)} END"
            for name in self.view.features
        )
        self.db.execute(
            f"CREATE OR REPLACE TABLE unequal AS SELECT {ids},"
            f" list_filter([{changed}], lambda x: x IS NOT NULL) AS fields"
            f" FROM joined_{one} s LEFT JOIN joined_{other} t USING ({ids})"
        )
        rows = int(self._one(f"SELECT count(*) FROM joined_{other}")[0])
        bad = int(self._one("SELECT count(*) FILTER (len(fields) > 0) FROM unequal")[0])
        found = self.db.execute(
            f"SELECT * FROM unequal WHERE len(fields) > 0 ORDER BY {ids} LIMIT {int(most)}"
        ).fetchall()
        named = [
            RowDifference(
                "different",
                f"{self.view.name}: {told_key(row[:-2])} at {row[-2].isoformat()}Z",
                tuple(row[-1]),
            )
            for row in found
        ]
        return rows, bad, named

    def filled_rows(self, name: str) -> int:
        """Return how many rows of a join have any feature at all: a join of nothing proves nothing."""
        some = " OR ".join(f"{quoted(each)} IS NOT NULL" for each in self.view.features) or "false"
        return int(self._one(f"SELECT count(*) FILTER ({some}) FROM joined_{name}")[0])

    @property
    def _keys(self) -> str:
        return ", ".join(map(quoted, self.view.keys))

    @property
    def _all(self) -> str:
        # A store that keeps when a row was written has the event time where the source does not tell it.
        return ", ".join([*map(quoted, self.view.columns), _TIME, f"coalesce({_CREATED}, {_TIME})"])

    def _whole(self, kind: str, column: str) -> str:
        return f"coalesce({column}, [])" if self.whole_lists and kind.startswith("list<") else column

    def _plain(self, table: str, history: History) -> str:
        moment = FORMS[history.time_form].format(_TIME)
        columns = [*map(quoted, self.view.columns), f"{moment} AS {quoted(self.view.event_time)}"]
        # A source that does not tell when a row was written leaves its event time.
        written = f"coalesce({_CREATED}, {_TIME})" if history.stamps else _CREATED
        columns += [f"{written} AS {quoted(each)}" for each in (history.created, *history.stamps) if each]
        if history.deleted:
            columns.append(f"{_DELETED} AS {quoted(history.deleted)}")
        return f"SELECT {', '.join(columns)} FROM {table}"

    def _copied(self, query: str, path: Path) -> int:
        self.db.execute(f"COPY ({query}) TO {text_of(str(path))} (FORMAT parquet, COMPRESSION zstd)")
        return int(self._one(f"SELECT count(*) FROM read_parquet({text_of(str(path))})")[0])

    def _newest(self, name: str, side: str) -> None:
        self.db.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM (SELECT * FROM {side}_all"
            f" QUALIFY row_number() OVER (PARTITION BY {self._keys}"
            f" ORDER BY {_TIME} DESC, {_CREATED} DESC NULLS LAST) = 1) WHERE NOT {_DELETED}"
        )

    def _newest_values(self, name: str, side: str) -> None:
        """Make what a sparse history serves: of each feature its newest value that is not null."""
        order = f"({_TIME}, {_CREATED})"
        features = "".join(
            f", arg_max({quoted(each)}, {order}) FILTER ({quoted(each)} IS NOT NULL) AS {quoted(each)}"
            for each in self.view.features
        )
        self.db.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {self._keys}{features},"
            f" max({_TIME}) AS {_TIME}, max({_CREATED}) AS {_CREATED}"
            f" FROM {side}_all WHERE NOT {_DELETED} GROUP BY {self._keys}"
        )

    def _unique(self, side: str) -> None:
        self.db.execute(
            f"CREATE OR REPLACE VIEW unique_{side} AS SELECT * FROM {side}"
            f" SEMI JOIN frame USING ({self._keys}) QUALIFY row_number()"
            f" OVER (PARTITION BY {self._keys}, {_TIME} ORDER BY {_CREATED} DESC NULLS LAST, {_ROW}) = 1"
        )

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self.db.execute(query).fetchone()
        return tuple(row or ())


@contextmanager
def opened_histories(
    view: View,
    work: Path,
    memory_bytes: int = MEMORY_BYTES,
    *,
    deletions: bool = False,
    whole_lists: bool = False,
) -> Iterator[Histories]:
    """Open a database for one view's histories; what does not fit in memory lies in ``work``."""
    import duckdb

    config: dict[str, Any] = {
        "threads": 1,
        "memory_limit": f"{memory_bytes // 2**20}MiB",
        "temp_directory": str(work / "spill"),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(":memory:", config=config) as db:
        # Standard output is a document's.
        db.execute("SET enable_progress_bar = false")
        db.execute("SET TimeZone = 'UTC'")
        try:
            yield Histories(db, view, deletions, whole_lists)
        except duckdb.Error as error:
            raise PermanentError(
                f"comparing the histories of feature view {view.name!r}",
                got=f"{type(error).__name__}: {str(error).splitlines()[0][:300]}",
                expected="files that fit the definition",
                state="nothing was concluded",
                remedy="look which column does not fit its type, or give more room in the temporary folder",
                code="7708",
            ) from error


def _unread(view: str, side: str, got: str) -> IntegrityError:
    return IntegrityError(
        f"reading the history of feature view {view!r} on the {side}",
        got=got,
        expected="Parquet files with its keys, its event time and its features",
        state="nothing was concluded, and nothing was changed",
        remedy="correct the definition, or the files that do not belong to it",
        code="7709",
    )
