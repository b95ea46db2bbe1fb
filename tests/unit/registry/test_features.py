"""Feature stores without one: fitting, histories in DuckDB, parity, and moves between two in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.errors import ConflictError, ConnectionConfigError, IntegrityError, NotFoundError
from heavylift.evidence.feature_records import FeatureVerificationRecord
from heavylift.registry.features import feast, moving, sagemaker
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import Feature, History
from heavylift.registry.features.feast_process import FeastProcesses
from heavylift.registry.features.fitting import fit_view, told
from heavylift.registry.features.online import Sides, compare_served, is_same
from heavylift.registry.features.ports import Served
from heavylift.registry.uris import uri_map
from heavylift.registry.work import Work
from tests.support.feature_moves import FeatureMoves
from tests.support.memory_features import NOW, VIEW, Pair


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    pair = Pair(tmp_path)
    monkeypatch.setattr(moving, "open_feature_store", pair.open)
    return pair


def test_a_move_is_whole_proved_and_not_repeated(pair: Pair) -> None:
    assert pair.moves.copy().passed
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    (history,), (online,), (joined,) = proof.histories, proof.online, proof.joins
    assert (history.source.rows, history.source.keys) == (200, 50)
    assert history.source == history.target
    assert (online.sampled, online.equal, online.bound) == (50, 50, 3 / 50)
    assert (joined.rows, joined.different, joined.own_rows) == (60, 0, None)
    assert 0 < joined.filled < 60, "the frame has moments at which there is nothing, and at which there is"
    written = pair.target.written
    assert (pair.moves.copy().written, pair.target.written) == (0, written)


def stale(pair: Pair) -> None:
    held = pair.target.served["drivers"]
    held[7,] = Served({"rate": 0.0, "trips": 0}, NOW - 3 * 3600 - 7)


CHOSEN = f"driver_id = 7 AND became = make_timestamp(({NOW} - 7)::BIGINT * 1000000::BIGINT)"
PLANTED: dict[str, tuple[Callable[[Pair], None], set[tuple[str, str]]]] = {
    "a lost row": (
        lambda pair: pair.rewrite(f"SELECT * FROM '{{path}}' WHERE NOT ({CHOSEN})"),
        {("history row", "missing")},
    ),
    "a row twice": (
        lambda pair: pair.rewrite(
            f"SELECT * FROM '{{path}}' UNION ALL SELECT * FROM '{{path}}' WHERE {CHOSEN}"
        ),
        {("history row", "extra")},
    ),
    "a changed value": (
        lambda pair: pair.rewrite(
            f"SELECT * REPLACE (CASE WHEN {CHOSEN} THEN nextafter(rate, 'inf'::DOUBLE) ELSE rate END AS rate)"
            " FROM '{path}'"
        ),
        {("history row", "different")},
    ),
    "a changed event time": (
        lambda pair: pair.rewrite(
            f"SELECT * REPLACE (CASE WHEN {CHOSEN} THEN became + INTERVAL 1 MICROSECOND ELSE became END"
            " AS became)"
            " FROM '{path}'"
        ),
        {("history row", "missing"), ("history row", "extra")},
    ),
    "a column that is not there": (
        lambda pair: pair.rewrite("SELECT * EXCLUDE (trips) FROM '{path}'"),
        {("history row", "different"), ("history column", "missing"), ("joined row", "different")},
    ),
    "a history that is not there": (
        lambda pair: (pair.folder / "b/drivers/x.parquet").unlink(),
        {("history", "missing")},
    ),
    "a missing feature": (
        lambda pair: pair.target.change("drivers", features={"rate": Feature("float64")}),
        {("feature view", "different")},
    ),
    "another time to live": (
        lambda pair: pair.target.change("drivers", ttl_seconds="60"),
        {("feature view", "different"), ("joined row", "different")},
    ),
    "a missing view": (lambda pair: pair.target.views.clear(), {("feature view", "missing")}),
    "a stale online value": (stale, {("online key", "different")}),
    "a key that is not served": (
        lambda pair: pair.target.served["drivers"].__delitem__((7,)),
        {("online key", "missing")},
    ),
    "a key that is served though it is gone": (
        lambda pair: pair.source.served["drivers"].__delitem__((7,)),
        {("online key", "extra")},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_differences_are_found(pair: Pair, name: str) -> None:
    plant, expected = PLANTED[name]
    assert pair.moves.copy().passed
    plant(pair)
    found = pair.found()
    # A time to live of a minute excuses what is served: it is expired by either side's.
    assert found >= expected, found
    assert found <= expected | {("joined row", "different")}


def test_what_is_expired_is_no_difference_and_proves_nothing(pair: Pair) -> None:
    assert pair.moves.copy().passed
    stale(pair)
    proof = pair.moves.verify(moment=NOW + 90_000.0)
    assert proof.passed
    assert (proof.online[0].expired, proof.online[0].equal, proof.online[0].bound) == (1, 49, 3 / 49)
    pair.source.served.clear()
    pair.target.served.clear()
    proof = pair.moves.verify()
    assert (proof.online[0].absent, proof.passed) == (50, False)
    assert pair.moves.verify(moment=NOW + 90_000.0).online[0].expired == 50


def test_rows_that_are_too_old_are_not_served_anew(pair: Pair) -> None:
    assert pair.moves.copy(moment=NOW + 86_400.0 - 20).passed
    assert len(pair.target.served["drivers"]) == 21


@pytest.mark.parametrize(
    ("form", "written", "later"),
    [
        ("iso8601", "strftime(became, '%Y-%m-%dT%H:%M:%SZ')", "'2027-01-01T00:00:00Z'"),
        ("seconds", "epoch_us(became) / 1e6", "1.8e9"),
    ],
)
def test_a_history_that_says_time_otherwise_is_made_anew(
    pair: Pair, form: str, written: str, later: str
) -> None:
    path = pair.folder / "a/drivers/x.parquet"
    pair.query(
        f"CREATE TABLE t AS SELECT * REPLACE ({written} AS became), false AS gone,"
        f" became AS written FROM '{path}';"
        f" INSERT INTO t SELECT * REPLACE (true AS gone, {later} AS became) FROM t"
        f" WHERE driver_id = 3 LIMIT 1; COPY t TO '{path}' (FORMAT parquet)"
    )
    view, _, marks = pair.source.views["drivers"]
    pair.source.apply(view, History(form, "written", "gone"), marks)
    del pair.source.served["drivers"][3,]
    assert pair.moves.copy().passed
    assert [each.name for each in (pair.folder / "b/drivers").iterdir()] == ["history.parquet"]
    assert (3,) not in pair.target.served["drivers"]
    proof = pair.moves.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, proof.online[0].absent) == (200, 1)


def test_nothing_moves_where_something_stands_in_the_way(pair: Pair) -> None:
    def blocked(rule: str, **options: Any) -> None:
        with pytest.raises(ConflictError, match=rule):
            pair.moves.copy(**options)
        assert pair.target.written == 0
        assert not (pair.folder / "b").exists()

    pair.source.others.append(("feature service", "it is code", 2))
    blocked("losses-not-accepted: 1 sorts", accept_losses=False)
    pairs, pair.moves.pairs = pair.moves.pairs, ()
    blocked("history-unmapped")
    own = pair.source.views["drivers"][0].offline
    pair.moves.pairs = ((own, own.removesuffix("/drivers")),)
    blocked("history-overlaps")
    pair.moves.pairs = ((own, own),)
    view, _, marks = pair.source.views["drivers"]
    pair.source.apply(view, History("iso8601"), marks)
    blocked("history-overlaps")
    pair.source.apply(view, History(), marks)
    pair.moves.pairs = pairs
    for changes, why in (
        ({"offline_format": "iceberg"}, "a table of format iceberg"),
        ({"features": {"x": Feature("set<string>")}}, "of type set<string>"),
        ({"keys": ()}, "has no key"),
        ({"features": {"a__b": Feature("int64")}}, "a__b"),
    ):
        kept = pair.source.views["drivers"]
        pair.source.change("drivers", **changes)
        blocked(f"cannot-hold: .*{why}")
        pair.source.views["drivers"] = kept
    pair.target.capabilities = replace(feast.CAPABILITIES, unwritable="it is closed")
    blocked("read-only")
    pair.target.capabilities = feast.CAPABILITIES
    pair.target.address = pair.source.address
    blocked("one store on both sides")


def test_files_that_are_no_history_are_told(pair: Pair) -> None:
    assert pair.moves.copy().passed
    pair.rewrite("SELECT * EXCLUDE (became) FROM '{path}'")
    with pytest.raises(IntegrityError, match=r"files without became.*HL-7709"):
        pair.moves.verify()
    (pair.folder / "b/drivers/x.parquet").write_bytes(b"no Parquet")
    with pytest.raises(IntegrityError, match="HL-7709"):
        pair.moves.verify()
    (pair.folder / "a/drivers/x.parquet").unlink()
    with pytest.raises(NotFoundError, match="HL-7706"):
        pair.moves.verify()
    record = pair.moves.copy()
    assert [each.code for each in record.failures] == ["HL-7706"]


def test_losses_are_told_by_sort() -> None:
    poor = FeatureCapabilities(
        "poor",
        {"int64": "int64", "float64": "float32"},
        feature_descriptions=False,
        feature_tags=False,
        owner=False,
    )
    view = replace(VIEW, owner="ann", offline="s3://a/x")
    fitted = fit_view(view, sagemaker.CAPABILITIES, poor, uri_map([("s3://a", "s3://b")]))
    assert not fitted.impossible
    assert {each.item for each in told([fitted])} == {
        "deletions in the history",
        "entities",
        "type float64",
        "description of a feature",
        "tags of a feature",
        "owner",
    }
    assert fitted.view.features["rate"].type == "float32"
    assert fitted.leaves["offline"] == "s3://b/x"


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("float32", 0.1, 0.10000000149011612, True),
        ("float32", 0.1, 0.10001, False),
        ("float64", 0.1, "0.1", True),
        ("float64", 0.1, 0.1 + 1e-11, False),
        ("float64", math.nan, math.nan, True),
        ("float64", math.nan, 0.0, False),
        ("int64", 2**63 - 1, str(2**63 - 1), True),
        ("int64", 2**53, 2**53 + 1, False),
        ("string", "a", "a", True),
        ("string", None, "", False),
        ("string", None, None, True),
        ("list<float32>", [0.1, 0.2], [0.1, 0.2], True),
        ("list<float32>", [0.1], [0.1, 0.2], False),
        ("timestamp", 10.0, 10.4, True),
        ("timestamp", 10.0, 12.0, False),
    ],
)
def test_values_are_compared_by_type(kind: str, one: object, other: object, same: bool) -> None:
    assert is_same(kind, one, other) is same


def test_an_old_row_on_the_target_excuses_nothing() -> None:
    sides = Sides(VIEW, (100, 100), 1000.0, [990.0])
    ours = Served({"rate": 1.0, "trips": 1}, 990.0)
    parity = compare_served(sides, [(1,)], [ours], [Served({"rate": 1.0, "trips": 1}, 10.0)])
    assert (parity.counts["different"], parity.differences[0][2]) == (1, ("event time",))
    assert (parity.bound, parity.passed) == (None, False)


def test_a_connection_that_does_not_fit_is_told(tmp_path: Path) -> None:
    processes = FeastProcesses()
    with pytest.raises(ConnectionConfigError, match="HL-7705"):
        feast.FeastStore(Connection("f", "feast", extra={"repository": "here"}), processes)
    extra = {"repository": str(tmp_path), "python": str(tmp_path / "none")}
    with pytest.raises(ConnectionConfigError, match="HL-7703"):
        feast.FeastStore(Connection("f", "feast", extra=extra), processes)
    pairs = (("s3://a", "s3://b"),)
    moves = FeatureMoves(Connection("a", "mysql"), Connection("b", "feast"), pairs)
    with pytest.raises(ConnectionConfigError, match="HL-7710"):
        moves.look()


def test_a_stop_is_heeded(pair: Pair) -> None:
    work = Work()
    work.stop.set()
    with pytest.raises(Exception, match="HL-7711"):
        run(moving.move_features(pair.moves.request(), work))
    assert pair.target.written == 0


def test_a_proof_of_nothing_is_none(pair: Pair) -> None:
    pair.source.views.clear()
    proof: FeatureVerificationRecord = pair.moves.verify()
    assert not proof.passed
