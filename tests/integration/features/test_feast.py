"""Feature stores against real Feast: its registry, its files and its SQLite online store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from heavylift.errors import ConflictError
from heavylift.registry.features.moving import FeatureMove
from tests.support.feature_moves import FeatureMoves
from tests.support.isolated import REPOSITORY

# Feast's imports alone take seconds in each process; the default run has it behind SageMaker's test.
pytestmark = pytest.mark.long


def lake(moves: FeatureMoves) -> Path:
    """Return the folder of the target's histories."""
    return Path(moves.pairs[0][1].removeprefix("file://"))


def held(moves: FeatureMoves, name: str) -> dict[str, Any]:
    """Return a view of the target as the worker tells it."""
    assert moves.processes is not None
    told = moves.processes.of(moves.target).ask("read", repository=moves.target.extra["repository"])
    return next(each for each in told["views"] if each["name"] == name)


def test_copy_and_verify(moves: FeatureMoves) -> None:
    looked = moves.look(accept_losses=False)
    assert [each.rule for each in looked.findings] == ["losses-not-accepted"]
    assert [(each.what, each.count) for each in looked.losses] == [("feature services", 1)]
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        moves.copy(accept_losses=False)
    assert not lake(moves).exists()

    record = moves.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables} == {
        "feature views": 2,
        "history files": 3,
        "online rows": 70,
    }
    made = held(moves, "driver_stats")
    assert made["features"]["rate"] == {"type": "float32", "description": "acceptance", "tags": {"unit": "1"}}
    assert (made["ttl_seconds"], made["entities"], made["owner"]) == (172_800, ["driver"], "risk@example.com")
    assert made["offline"] == f"file://{lake(moves)}/driver_stats"

    proof = moves.verify()
    assert proof.passed, proof.differences
    assert [each.source.rows for each in proof.histories] == [240, 180]
    assert [(each.equal, each.bound) for each in proof.online] == [(40, 0.075), (30, 0.1)]
    assert all(0 < each.filled < each.rows == 60 for each in proof.joins)
    assert all(each.own_rows and not each.own_different for each in proof.joins)
    again = moves.copy()
    assert (again.written, again.passed) == (0, True)


def rewrite(path: Path, query: str) -> None:
    """Replace a Parquet file by a query over it."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(f"CREATE TABLE t AS {query.format(path=path)}")
        db.execute(f"COPY t TO '{path}' (FORMAT parquet)")


NEWEST = "(SELECT max(event_timestamp) FROM '{path}' WHERE driver_id = 7)"
CHOSEN = f"driver_id = 7 AND event_timestamp = {NEWEST}"
ROWS = {
    "a lost row": (f"SELECT * FROM '{{path}}' WHERE NOT ({CHOSEN})", ("history row", "missing")),
    "a changed value": (
        "SELECT * REPLACE (CASE WHEN " + CHOSEN + " THEN score + 1e-9 ELSE score END AS score) FROM '{path}'",
        ("history row", "different"),
    ),
    "a changed event time": (
        "SELECT * REPLACE (CASE WHEN "
        + CHOSEN
        + " THEN CAST(CAST(event_timestamp AS TIMESTAMPTZ) + INTERVAL 1 MICROSECOND AS TIMESTAMPTZ)"
        " ELSE CAST(event_timestamp AS TIMESTAMPTZ) END AS event_timestamp) FROM '{path}'",
        ("history row", "extra"),
    ),
    "a column without its feature": (
        "SELECT * EXCLUDE (trips) FROM '{path}'",
        ("joined row of the target itself", "missing"),
    ),
}


def stale(moves: FeatureMoves) -> None:
    """Serve an older row of one key."""
    path = lake(moves) / "stale.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"COPY (SELECT * FROM '{lake(moves)}/driver_stats/*.parquet' WHERE driver_id = 7"
            f" ORDER BY event_timestamp LIMIT 1) TO '{path}' (FORMAT parquet)"
        )
    assert moves.processes is not None
    folder = moves.target.extra["repository"]
    moves.processes.of(moves.target).ask("serve", repository=folder, name="driver_stats", rows=str(path))
    path.unlink()


def lose_feature(moves: FeatureMoves) -> None:
    """Take a feature out of the target's definition."""
    view = held(moves, "driver_stats")
    del view["features"]["score"]
    assert moves.processes is not None
    moves.processes.of(moves.target).ask("apply", repository=moves.target.extra["repository"], view=view)


def test_planted_differences_are_found(moves: FeatureMoves) -> None:
    assert moves.copy().passed
    path = lake(moves) / "driver_stats/a.parquet"
    whole = path.read_bytes()
    for name, (query, expected) in ROWS.items():
        rewrite(path, query)
        assert expected in moves.differing(), name
        path.write_bytes(whole)
    assert moves.differing() == set()
    stale(moves)
    proof = moves.verify()
    (found,) = proof.differences
    assert (found.what, found.id) == ("online key", "driver_stats: 7")
    assert {"event time", "trips"} <= set(found.fields)
    lose_feature(moves)
    assert ("feature view", "different") in moves.differing()
    with pytest.raises(ConflictError, match=r"changed-by-others: .*features/score/type"):
        moves.copy()
    assert moves.copy(overwrite=True).passed
    assert moves.differing() == set()


@pytest.mark.parametrize("step", ["_serve", "_history", "_define"])
def test_a_run_that_was_cut_is_gone_on_with(
    moves: FeatureMoves, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class CutError(BaseException):
        """Nothing catches it, as nothing catches a signal."""

    act: Callable[..., Any] = getattr(FeatureMove, step)

    async def served(acting: Awaitable[Any]) -> None:
        await acting
        raise CutError

    def cut(self: FeatureMove, *arguments: Any, **named: Any) -> Any:
        if step == "_serve":
            return served(act(self, *arguments, **named))
        raise CutError

    with monkeypatch.context() as patched:
        patched.setattr(FeatureMove, step, cut)
        with pytest.raises(CutError):
            moves.copy()
    assert not moves.verify().passed
    record = moves.copy()
    assert record.passed, record.failures
    assert moves.verify().passed
    assert moves.copy().written == 0


def test_a_killed_run_is_gone_on_with(moves: FeatureMoves) -> None:
    given = {"source": asdict(moves.source), "target": asdict(moves.target), "pairs": moves.pairs}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.feature_moves"],
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
        input=json.dumps(given).encode(),
        check=False,
    )
    assert done.returncode == -9
    assert not moves.verify().passed
    assert moves.copy().passed
    assert moves.verify().passed


def test_what_others_have_is_not_touched(moves: FeatureMoves) -> None:
    folder = lake(moves) / "driver_stats"
    folder.mkdir(parents=True)
    (folder / "a.parquet").write_bytes(b"somebody else's")
    record = moves.copy()
    assert [(each.id, each.code) for each in record.failures] == [("driver_stats", "HL-7713")]
    assert (folder / "a.parquet").read_bytes() == b"somebody else's"
    assert {each.table: each.inserted for each in record.tables}["feature views"] == 1
    view = held(moves, "pair_stats")
    view["tags"] = {}
    assert moves.processes is not None
    moves.processes.of(moves.target).ask("apply", repository=moves.target.extra["repository"], view=view)
    with pytest.raises(ConflictError, match="name-taken"):
        moves.copy()


def test_new_rows_follow(moves: FeatureMoves) -> None:
    assert moves.copy().passed
    source = Path(moves.source.extra["repository"]) / "data/driver_stats"
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(
            f"COPY (SELECT * REPLACE (CAST(event_timestamp AS TIMESTAMPTZ) + INTERVAL 1 MINUTE AS"
            f" event_timestamp, trips + 1 AS trips) FROM '{source}/*.parquet' WHERE driver_id = 8"
            f" ORDER BY event_timestamp DESC LIMIT 1) TO '{source}/c.parquet' (FORMAT parquet)"
        )
    assert ("history row", "missing") in moves.differing()
    record = moves.copy()
    assert {each.table: (each.inserted, each.updated) for each in record.tables} == {
        "feature views": (0, 1),
        "history files": (1, 0),
        "online rows": (40, 0),
    }
    # The source's own online store was not filled again: it is what is stale now.
    proof = moves.verify()
    assert [(each.what, each.id) for each in proof.differences] == [("online key", "driver_stats: 8")]
