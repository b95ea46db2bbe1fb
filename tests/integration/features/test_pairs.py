"""Every ordered pair of products, and moves that are cut in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from heavylift.registry.features.moving import FeatureMove
from tests.integration.features.sides import KINDS, Sides, move
from tests.support.isolated import REPOSITORY
from tests.support.longer import first_then_long
from tests.support.memory_features import Pair

STORES = {
    "vertex": "heavylift.registry.features.vertex:VertexFeatures",
    "azure": "heavylift.registry.features.azure_ml:AzureMlFeatures",
}
LOST = {
    ("sagemaker", "vertex"): {"deletions in the history", "ttl_seconds", "online rows"},
    ("sagemaker", "azure"): {"deletions in the history", "ttl_seconds"},
    ("vertex", "sagemaker"): set(),
    ("vertex", "azure"): set(),
    ("azure", "sagemaker"): {"entities", "ttl_seconds"},
    ("azure", "vertex"): {"entities", "ttl_seconds", "online rows"},
    ("sagemaker", "sagemaker"): set(),
    ("vertex", "vertex"): set(),
    ("azure", "azure"): set(),
}
"""What a second move loses that the first one has left."""


@pytest.mark.long
@pytest.mark.parametrize(("one", "other"), list(LOST))
def test_ordered_pairs(sides: Sides, pair: Pair, one: str, other: str) -> None:
    first, second = sides.make(one), sides.make(other)
    begun = move(sides.memory(pair.moves.source, "a"), first)
    assert begun.copy().passed
    moves = move(first, second)
    looked = moves.look()
    assert {each.item for each in looked.losses} == LOST[one, other]
    record = moves.copy()
    assert record.passed, record.failures
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert (proof.histories[0].target.rows, proof.online[0].equal, proof.joins[0].rows) == (200, 50, 60)
    before = second.writes()
    assert (moves.copy().written, second.writes()) == (0, before)
    assert first.rejected() == second.rejected() == []


STEPS = [("vertex", "_history"), ("sagemaker", "_define")]
STEPS += [(kind, step) for kind in KINDS for step in ("_serve", "_history", "_define")]


@pytest.mark.parametrize(("kind", "step"), first_then_long(dict.fromkeys(STEPS)))
def test_a_run_that_was_cut_is_gone_on_with(
    sides: Sides, pair: Pair, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    class CutError(BaseException):
        """Nothing catches it, as nothing catches a signal."""

    target = sides.make(kind)
    moves = move(sides.memory(pair.moves.source, "a"), target)
    act: Callable[..., Any] = getattr(FeatureMove, step)

    def cut(self: FeatureMove, *arguments: Any, **named: Any) -> Any:
        found = act(self, *arguments, **named)
        if step != "_define":
            return _raising(found)
        raise CutError

    async def _raising(found: Any) -> None:
        await found
        raise CutError

    with monkeypatch.context() as patched:
        patched.setattr(FeatureMove, step, cut)
        with pytest.raises(CutError):
            moves.copy()
    # Nothing but the mark was left to do where what is served was the last.
    assert moves.verify().passed is (step == "_serve")
    record = moves.copy()
    assert record.passed, record.failures
    assert moves.verify().passed
    assert moves.copy().written == 0
    assert target.rejected() == []


@pytest.mark.long
@pytest.mark.parametrize("kind", ["vertex", "azure"])
def test_a_killed_run_is_gone_on_with(sides: Sides, pair: Pair, kind: str) -> None:
    first, target = sides.make("sagemaker"), sides.make(kind)
    assert move(sides.memory(pair.moves.source, "a"), first).copy().passed
    moves = move(first, target)
    given = {
        "source": asdict(first.connection),
        "target": asdict(target.connection),
        "target_history": asdict(target.history) if target.history else None,
        "pairs": moves.pairs,
        "at": STORES[kind],
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.feature_moves"],
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
        input=json.dumps(given).encode(),
        check=False,
    )
    assert done.returncode == -9
    before = target.writes()
    assert before > 0
    record = moves.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables}.get("history files", 0) == 0
    assert {each.table: each.inserted for each in record.tables}.get("history tables", 0) == 0
    assert moves.verify().passed
    assert moves.copy().written == 0
