"""Tables compared from files: equal ones, seeded shifts, and whatever else files hold."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from heavylift.errors import AuditError, IntegrityError, NotFoundError, UnsupportedError
from heavylift.evidence.monitor_evidence import monitor_series
from heavylift.evidence.monitor_records import ColumnDrift, DriftRecord, ProfileRecord
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.monitor import tables_read
from heavylift.monitor.columns import compare_columns
from heavylift.monitor.drift import detect_drift, keep_profile, profile_of
from heavylift.monitor.profiles import TableProfile
from heavylift.monitor.requests import DriftLimits, DriftRequest, Kept, ProfileRequest
from heavylift.platforms.places import Place

LANDS = np.array(["de", "fr", "it", "us"])
SHOPS = np.array([f"s{number}" for number in range(10_001)])


def place(path: Path) -> Place:
    return Place(parse_location(path.as_uri()))


def profile(columns: dict[str, Any], *, parts: int = 1) -> TableProfile:
    table = pa.table(columns)
    made = TableProfile("made")
    step = max(1, -(-table.num_rows // parts))
    for batch in table.to_batches(step):
        made.take(batch.schema.names, batch.columns, batch.num_rows, csv=False)
    if not table.num_rows:
        empty = [pa.array([], type=field.type) for field in table.schema]
        made.take(table.schema.names, empty, 0, csv=False)
    made.close()
    return made


def verdicts(before: dict[str, Any], now: dict[str, Any], **limits: Any) -> dict[str, ColumnDrift]:
    found = compare_columns(profile(before), profile(now), DriftLimits(**limits))
    return {each.column: each for each in found}


async def drift(tmp_path: Path, before: Path, now: Path, **more: Any) -> DriftRecord:
    kept = Kept("m", "w", "target", evidence_url=(tmp_path / "evidence").as_uri())
    record, _ = await detect_drift(DriftRequest(kept, place(before), place(now), **more))
    return record


def mixed(seed: int, rows: int, moved: float = 0.0) -> dict[str, Any]:
    g = np.random.default_rng(seed)
    return {
        "amount": g.lognormal(moved, 1, rows),
        "age": g.poisson(40 + 6 * moved, rows),
        "score": g.beta(2, 5 - 2 * moved, rows),
        "country": g.choice(
            np.array(["de", "fr", "it", "us"]), rows, p=[0.4 - moved / 3, 0.3, 0.2, 0.1 + moved / 3]
        ),
        "shop": SHOPS[g.zipf(1.4, rows).clip(0, 10_000)],
        "ok": g.random(rows) < 0.7 - moved / 2,
    }


@pytest.mark.parametrize(
    ("rows", "seeds"),
    [(100, 60), (5_000, 30), pytest.param(1_000_000, 200, marks=pytest.mark.long)],
)
def test_tables_of_the_same_distribution_are_no_alarm(rows: int, seeds: int) -> None:
    reference = profile(mixed(0, rows))
    alarms = sum(
        any(each.verdict == "drift" for each in compare_columns(reference, profile(mixed(seed, rows))))
        for seed in range(1, seeds + 1)
    )
    # 5 % may be, of all columns together; with enough rows the limit keeps all of them away.
    assert alarms <= (0 if rows > 1000 else 0.05 * seeds + 3)


@pytest.mark.parametrize("rows", [2_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_seeded_shifts_are_alarms(rows: int) -> None:
    found = verdicts(mixed(1, rows), mixed(2, rows, 0.6))
    wanted = {"amount", "age", "score", "country", "ok"}
    assert {name for name, each in found.items() if each.verdict == "drift"} == wanted
    assert found["shop"].verdict != "drift"


def test_a_table_beside_itself_has_no_effect_at_all() -> None:
    for each in verdicts(mixed(3, 20_000), mixed(3, 20_000)).values():
        assert (each.verdict, each.effect, each.effect_low) == ("same", 0.0, 0.0)
        assert each.psi == 0.0


def test_few_rows_neither_alarm_nor_hide() -> None:
    found = verdicts({"x": np.arange(8.0)}, {"x": np.arange(8.0) + 1})
    assert found["x"].verdict == "unsure"
    assert found["x"].effect_high is not None
    assert found["x"].effect_high > 0.3


def test_the_order_of_rows_and_how_they_are_cut_change_nothing() -> None:
    rows = mixed(4, 30_000)
    order = np.random.default_rng(5).permutation(30_000)
    shuffled = {name: np.asarray(values)[order] for name, values in rows.items()}
    other = profile(mixed(6, 30_000, 0.2))
    first = compare_columns(profile(rows), other)
    assert compare_columns(profile(shuffled, parts=7), other) == first
    half = {name: np.asarray(values)[:10_000] for name, values in rows.items()}
    rest = {name: np.asarray(values)[10_000:] for name, values in rows.items()}
    merged = profile(half)
    merged.merge(profile(rest))
    assert compare_columns(merged, other) == first


def test_missing_values_are_judged_by_the_difference_of_their_shares() -> None:
    few = [None if index % 50 == 0 else 1.5 for index in range(5000)]
    many = [None if index % 5 == 0 else 1.5 for index in range(5000)]
    assert verdicts({"x": few}, {"x": many})["x"].verdict == "drift"
    assert verdicts({"x": few}, {"x": few})["x"].verdict == "same"
    nan = [float("nan") if index % 5 == 0 else 1.5 for index in range(5000)]
    found = verdicts({"x": few}, {"x": nan})["x"]
    assert "without a value: 2.00% before, 20.00% now" in found.reason


def test_new_categories_are_an_alarm_and_ids_are_none() -> None:
    before = ["a", "b"] * 2000
    found = verdicts({"x": before}, {"x": [*before[:-100], *["c"] * 100]})["x"]
    assert found.verdict == "drift"
    assert found.unseen == pytest.approx(0.025)
    assert "categories that the reference has not" in found.reason
    ids = verdicts({"id": [f"i{n}" for n in range(4000)]}, {"id": [f"j{n}" for n in range(4000)]})["id"]
    assert ids.verdict == "same"
    lost = verdicts({"x": before}, {"x": ["a"] * 4000})["x"]
    assert lost.gone == 0.5


def test_columns_that_come_go_or_change_their_kind_are_told() -> None:
    found = verdicts(
        {"a": [1, 2], "b": [1, 2], "c": ["x", "y"]}, {"b": ["1", "2"], "c": ["x", "y"], "d": [1, 2]}
    )
    assert {name: each.verdict for name, each in found.items()} == {
        "a": "missing", "b": "type", "c": "unsure", "d": "new",
    }  # fmt: skip
    wider = verdicts({"a": pa.array([1, 2] * 5000, pa.int8())}, {"a": pa.array([1.0, 2.0] * 5000)})["a"]
    assert (wider.verdict, wider.types) == ("same", ("int8", "double"))


def test_a_column_has_a_limit_of_its_own() -> None:
    g = np.random.default_rng(7)
    before, now = {"x": g.normal(size=20_000)}, {"x": g.normal(0.3, 1, 20_000)}
    assert verdicts(before, now)["x"].verdict == "drift"
    assert verdicts(before, now, by_column={"x": 0.3})["x"].verdict == "same"
    assert verdicts(before, now, effect=0.3)["x"].verdict == "same"


HOSTILE: dict[str, Any] = {
    "all null": pa.array([None] * 300, pa.float64()),
    "no type": pa.nulls(300),
    "constant": [1.0] * 300,
    "infinite": [float("inf"), float("-inf"), float("nan")] * 100,
    "huge floats": [1.7976931348623157e308, -1.7976931348623157e308, 5e-324] * 100,
    "huge ints": pa.array([2**64 - 1, 0, 1] * 100, pa.uint64()),
    "decimal": pa.array([Decimal("9" * 38), Decimal(1), None] * 100, pa.decimal128(38, 0)),
    "wide decimal": pa.array([Decimal("9" * 60), Decimal(1), None] * 100, pa.decimal256(60, 0)),
    "half": pa.array(np.array([1.5, 2.5, 3.5] * 100, np.float16)),
    "list": [[1], None, []] * 100,
    "struct": [{"a": 1}, None, {"a": None}] * 100,
    "map": pa.array([[("k", 1)], None, []] * 100, pa.map_(pa.string(), pa.int64())),
    "binary": [b"\xff\x00", None, b""] * 100,
    "dictionary": pa.array(["a", None, "b"] * 100).dictionary_encode(),
    "view": pa.array(["a", None, "b"] * 100, pa.string_view()),
    "large": pa.array(["a", None, "b"] * 100, pa.large_string()),
    "date": [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)] * 100,
    "date64": pa.array([0, None, 86_400_000] * 100, pa.date64()),
    "time": pa.array([dt.time(1), None, dt.time(2)] * 100, pa.time32("s")),
    "time64": pa.array([dt.time(1), None, dt.time(2)] * 100, pa.time64("ns")),
    "timestamp": pa.array([0, None, 2**63 - 1] * 100, pa.timestamp("ns", "UTC")),
    "duration": pa.array([dt.timedelta(days=1), None, dt.timedelta(0)] * 100, pa.duration("us")),
    "true": [True, None, False] * 100,
    "": [1, 2, 3] * 100,
    "a.b": [1, 2, 3] * 100,
    'q"\n\x00\u202e': [1, 2, 3] * 100,
    "unpaired": ["\x00", "é", "e\u0301"] * 100,
}  # fmt: skip


async def test_hostile_columns_are_read_and_equal_to_themselves(tmp_path: Path) -> None:
    path = tmp_path / "hostile.parquet"
    pq.write_table(pa.table(HOSTILE), path)
    record = await drift(tmp_path, path, path)
    assert {each.column for each in record.columns} == set(HOSTILE)
    assert not {each.verdict for each in record.columns} & {"drift", "missing", "type", "new"}
    told = {each.column: each.kind for each in record.columns}
    assert told["list"] == told["map"] == told["binary"] == "other"
    assert told["duration"] == told["half"] == told["wide decimal"] == "number"
    json.dumps(record.model_dump(mode="json"), allow_nan=False)


async def test_empty_tables_and_those_of_one_row(tmp_path: Path) -> None:
    for name, rows in (("none", 0), ("one", 1), ("many", 500)):
        pq.write_table(pa.table({"x": np.arange(rows, dtype=float)}), tmp_path / f"{name}.parquet")
    none, one, many = (tmp_path / f"{name}.parquet" for name in ("none", "one", "many"))
    gone = await drift(tmp_path, many, none)
    assert (gone.verdict, gone.reasons) == ("alarm", ("the current table has no rows",))
    assert (await drift(tmp_path, none, many)).verdict == "unsure"
    assert (await drift(tmp_path, none, none)).verdict == "unsure"
    assert (await drift(tmp_path, many, one)).verdict == "unsure"


async def test_formats_hold_the_same_table(tmp_path: Path) -> None:
    rows = {
        "n": [1.5, 2.0, None, 7e3] * 2000,
        "c": ["x", "y", "z, ü", "x"] * 2000,
        "t": [True, False, None, True] * 2000,
    }
    table = pa.table(rows)
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(table, folder / "t.parquet")
    pyarrow.csv.write_csv(table, folder / "t.csv")
    (folder / "z.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "semicolon.csv").write_bytes(
        (folder / "t.csv").read_bytes().replace(b",", b";").replace(b"z;", b"z,")
    )
    pyarrow.feather.write_feather(table, folder / "t.feather")
    with pa.ipc.new_stream(folder / "t.arrow", table.schema) as stream:
        stream.write_table(table)
    for other in sorted(folder.iterdir()):
        record = await drift(tmp_path, folder / "t.parquet", other)
        assert [each.verdict for each in record.columns] == ["same"] * 3, (other.name, record.columns)
        assert record.current.rows == 8000


async def test_csv_that_is_mostly_numbers_has_the_others_counted_as_missing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,code\n" + "1.5,007\n2,008\n" * 500)
    (tmp_path / "b.csv").write_text("x,code\n" + "1.5,007\n2,008\n" * 475 + "N/A,007\n1e999,008\n" * 50)
    found = {
        each.column: each for each in (await drift(tmp_path, tmp_path / "a.csv", tmp_path / "b.csv")).columns
    }
    assert found["x"].kind == "number"
    assert found["x"].missing == (0.0, pytest.approx(100 / 1050))
    assert found["x"].verdict == "drift"
    assert found["code"].kind == "category"


async def test_a_folder_is_one_table_whose_files_may_differ(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.table({"x": [1, 2] * 500, "y": [1.0] * 1000}), folder / "a.parquet")
    pq.write_table(pa.table({"x": [1.0, 2.0] * 500}), folder / "b.parquet")
    (folder / "_SUCCESS").write_text("")
    record = await drift(tmp_path, folder, folder)
    assert (record.reference.files, record.reference.rows, record.reference.left_out) == (2, 2000, 1)
    found = {each.column: each for each in record.columns}
    assert found["y"].missing == (0.5, 0.5)
    assert found["x"].types == ("double | int64", "double | int64")
    only = await drift(tmp_path, folder, folder, include=("a*",), columns=("x", "n*"), ignore=("n*",))
    assert [each.column for each in only.columns] == ["x"]
    assert only.reference.rows == 1000


async def test_columns_of_the_same_name_and_many_categories(tmp_path: Path) -> None:
    twice = pa.table([pa.array([1] * 100), pa.array(["a"] * 100)], names=["x", "x"])
    pq.write_table(twice, tmp_path / "t.parquet")
    record = await drift(tmp_path, tmp_path / "t.parquet", tmp_path / "t.parquet")
    assert [each.column for each in record.columns] == ["x", "x (2)"]
    g = np.random.default_rng(8)
    names = np.array([f"c{n}" for n in range(10_000)])
    before, now = names[g.integers(0, 10_000, 100_000)], names[g.integers(0, 10_000, 100_000)]
    assert verdicts({"x": before}, {"x": now})["x"].verdict == "same"
    half = names[g.integers(0, 5_000, 100_000)]
    assert verdicts({"x": before}, {"x": half})["x"].verdict == "drift"


async def test_what_is_no_table_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"x": [1], "y": [1]}), good)
    for name, content in (("bad.parquet", b"PAR1 no"), ("bad.csv", b"a,b\n1,2\n1\n"), ("bin.csv", b"a\n\xff\xfe\n"), ("bad.arrow", b"?"), ("bad.csv.gz", b"no")):  # fmt: skip  # noqa: E501
        (tmp_path / name).write_bytes(content)
        with pytest.raises(IntegrityError, match=rf"{name}.*HL-8902"):
            await drift(tmp_path, good, tmp_path / name)
    with pytest.raises(NotFoundError, match="HL-8901"):
        await drift(tmp_path, good, tmp_path / "none.parquet")
    with pytest.raises(NotFoundError):
        await drift(tmp_path, good, tmp_path / "nowhere")
    monkeypatch.setattr(tables_read, "MOST_COLUMNS", 1)
    with pytest.raises(UnsupportedError, match="HL-8903"):
        await drift(tmp_path, good, good)


async def test_a_profile_of_the_source_is_compared_when_the_source_is_gone(tmp_path: Path) -> None:
    for name, seed, moved in (("a", 1, 0.0), ("b", 2, 0.0), ("c", 3, 0.6)):
        pq.write_table(pa.table(mixed(seed, 20_000, moved)), tmp_path / f"{name}.parquet")
    url = (tmp_path / "evidence").as_uri()
    request = ProfileRequest(Kept("m", "w", "source", evidence_url=url), place(tmp_path / "a.parquet"))
    kept, ref = await keep_profile(request)
    live = await drift(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")
    (tmp_path / "a.parquet").unlink()
    target = Kept("m", "w", "target", evidence_url=url)
    same, _ = await detect_drift(DriftRequest(target, ref.path, place(tmp_path / "b.parquet")))
    moved, second = await detect_drift(DriftRequest(target, ref.path, place(tmp_path / "c.parquet")))
    assert same.columns == live.columns
    assert (same.verdict, moved.verdict) == ("ok", "alarm")
    assert second.path == "m/monitoring/w/drift-3.json"
    text = "".join(path.read_text() for path in (tmp_path / "evidence").rglob("*.json"))
    assert '"de"' not in text
    async with open_evidence(url, None) as store:
        series = await monitor_series(store, "m")
        assert [(point.side, point.kind, point.verdict) for point in series] == [
            ("source", "profile", "ok"), ("target", "drift", "ok"), ("target", "drift", "ok"),
            ("target", "drift", "alarm"),
        ]  # fmt: skip
        newest = await monitor_series(store, "m", "w", last=1)
        assert [point.path for point in newest] == ["m/monitoring/w/profile-1.json", second.path]
    damaged = kept.columns[0].numbers.model_copy(update={"size": 3})
    column = kept.columns[0].model_copy(update={"numbers": damaged})
    with pytest.raises(AuditError, match="HL-8904"):
        profile_of(ProfileRecord.model_validate({**kept.model_dump(), "columns": [column.model_dump()]}))
