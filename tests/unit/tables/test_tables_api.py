"""What operators and commands call: an engine acts, its record is evidence, and it can be stopped."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.evidence.records import MAX_LISTED
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine
from heavylift.tables import api, wiring
from heavylift.tables.engine import TablesProgress
from heavylift.tables.fences import acts
from heavylift.tables.requests import TablesRequest
from tests.support.fake_tables import FakeEngine, fake_request, wait_until


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    return fake


@pytest.fixture
def request_(tmp_path: Path) -> TablesRequest:
    return fake_request(tmp_path.as_uri())


def run(work: Any) -> Any:
    return asyncio.run(work)


def written(request: TablesRequest, path: str) -> dict[str, Any]:
    root = Path(str(request.evidence_url).removeprefix("file://"))
    document: dict[str, Any] = json.loads((root / path).read_text())
    return document


def test_each_act_leaves_a_record_of_its_own(engine: FakeEngine, request_: TablesRequest) -> None:
    refs = [
        run(api.preflight_tables(request_))[1],
        run(api.snapshot_tables(request_))[1],
        run(api.sync_tables(request_))[1],
        run(api.sync_tables(request_))[1],
        run(api.drain_tables(request_, within_seconds=5))[1],
        run(api.verify_tables(request_, frozen=True))[1],
        run(api.prepare_reverse(request_))[1],
        run(api.end_stream(request_))[1],
    ]
    folder = "small/transfer/r1/databases/features/"
    assert [ref.path.removeprefix(folder) for ref in refs] == [
        "preflight-1.json", "snapshot-1.json", "sync-1.json", "sync-2.json",
        "drain-1.json", "verification-1.json", "reverse-1.json", "end-1.json",
    ]  # fmt: skip
    for ref in refs:
        assert written(request_, ref.path)["database"] == "features"


def test_no_secret_is_in_any_record(engine: FakeEngine, request_: TablesRequest, tmp_path: Path) -> None:
    run(api.snapshot_tables(request_))
    run(api.verify_tables(request_, frozen=False))
    assert all("s3cr3t" not in file.read_text() for file in tmp_path.rglob("*.json"))


def test_equal_tables_pass_and_one_row_is_enough_not_to(engine: FakeEngine, request_: TablesRequest) -> None:
    run(api.snapshot_tables(request_))
    record, _ = run(api.verify_tables(request_, frozen=True))
    assert (record.passed, record.total("equal")) == (True, 10)
    engine.target[3] = "something else"
    record, _ = run(api.verify_tables(request_, frozen=True))
    assert (record.passed, record.differences[0].key) == (False, {"id": "3"})


def test_nothing_compared_is_nothing_proved(request_: TablesRequest, engine: FakeEngine) -> None:
    comparison = replace(engine.compare(request_, work=None, frozen=True), tables=())  # type: ignore[arg-type]
    assert api.verification_of(request_, comparison, None).passed is False


def test_books_that_do_not_add_up_prove_nothing(request_: TablesRequest, engine: FakeEngine) -> None:
    run(api.snapshot_tables(request_))
    comparison = engine.compare(request_, work=None, frozen=True)  # type: ignore[arg-type]
    short = comparison.tables[0].model_copy(update={"equal": 9})
    assert api.verification_of(request_, replace(comparison, tables=(short,)), None).passed is False
    unsettled = comparison.tables[0].model_copy(update={"unsettled": 1})
    assert api.verification_of(request_, replace(comparison, tables=(unsettled,)), None).passed is False


def test_sequences_that_lag_behind_count_once_nobody_writes(
    engine: FakeEngine, request_: TablesRequest
) -> None:
    run(api.snapshot_tables(request_))
    engine.sequences_behind = ("public.features_id_seq",)
    assert run(api.verify_tables(request_, frozen=False))[0].passed is True
    assert run(api.verify_tables(request_, frozen=True))[0].passed is False


def test_many_differences_go_to_parquet_by_their_keys(
    engine: FakeEngine, request_: TablesRequest, tmp_path: Path
) -> None:
    import duckdb

    engine.source = {number: "x" for number in range(MAX_LISTED + 20)}
    record, _ = run(api.verify_tables(request_, frozen=True))
    assert (len(record.differences), record.difference_count) == (MAX_LISTED, MAX_LISTED + 20)
    assert record.rows is not None
    rows = duckdb.sql(f"SELECT * FROM '{tmp_path / record.rows.path}'").fetchall()
    assert len(rows) == MAX_LISTED + 20
    assert rows[0] == ("public.features", "missing", '{"id": "0"}')


def test_a_file_that_the_engine_spilled_is_kept_as_it_is(
    engine: FakeEngine, request_: TablesRequest, tmp_path: Path
) -> None:
    spilled = tmp_path / "spilled.parquet"
    spilled.write_bytes(b"PAR1 all of them")
    compare = engine.compare
    engine.compare = lambda *a, **k: replace(  # type: ignore[method-assign]
        compare(*a, **k), spilled=str(spilled), difference_count=7
    )
    record, _ = run(api.verify_tables(request_, frozen=True))
    assert record.rows is not None
    assert (tmp_path / record.rows.path).read_bytes() == b"PAR1 all of them"


def test_cancelling_stops_the_engine_and_waits_until_it_has_left(
    engine: FakeEngine, request_: TablesRequest
) -> None:
    engine.stop_at = 4

    async def cancel_in_the_middle() -> None:
        task = asyncio.ensure_future(api.snapshot_tables(request_))
        await asyncio.to_thread(wait_until, lambda: len(engine.target) == 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancel_in_the_middle())
    assert len(engine.target) == 4
    record, _ = run(api.snapshot_tables(request_))
    assert (record.rows, record.tables[0].ranges_reused) == (10, 1)


def test_progress_is_told_on_the_event_loop(engine: FakeEngine, request_: TablesRequest) -> None:
    import threading

    told: list[tuple[TablesProgress, bool]] = []
    here = threading.current_thread()
    run(api.snapshot_tables(request_, lambda p: told.append((p, threading.current_thread() is here))))
    assert [progress.rows_done for progress, _ in told] == list(range(1, 11))
    assert all(on_loop for _, on_loop in told)


def test_both_directions_are_told_as_far_as_there_are(engine: FakeEngine, request_: TablesRequest) -> None:
    assert run(api.both_directions(request_)) == ()
    run(api.snapshot_tables(request_))
    assert [each.direction for each in run(api.both_directions(request_))] == ["forward"]
    run(api.prepare_reverse(request_))
    assert [each.direction for each in run(api.both_directions(request_))] == ["forward", "reverse"]


def test_a_stream_that_nobody_began_is_refused(engine: FakeEngine, request_: TablesRequest) -> None:
    with pytest.raises(NotFoundError):
        run(api.sync_tables(request_))


@pytest.mark.parametrize(
    ("product", "method"),
    [(DatabaseEngine.MYSQL, CaptureMethod.AUTO), (DatabaseEngine.ORACLE, CaptureMethod.DEBEZIUM)],
)
def test_what_no_engine_moves_is_refused_by_name(
    request_: TablesRequest, product: DatabaseEngine, method: CaptureMethod
) -> None:
    asked = replace(
        request_,
        target=replace(request_.target, engine=product),
        options=replace(request_.options, method=method),
    )
    with pytest.raises(UnsupportedError, match=f"{product.value}.*{method.value}.*HL-6300"):
        wiring.engine_for(asked)
