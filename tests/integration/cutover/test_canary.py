"""The analysis of a step against real servers: good, bad, dead, and a source that is itself unwell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.cutover.canary.api import analyse
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.requests import CanaryRequest, Probes
from heavylift.errors import CredentialError
from heavylift.evidence.records import RunKey
from tests.support.scoring_server import Manner, Running, scoring_server

LIMITS = Limits(steps=1, warm_up_seconds=0.3, block_seconds=0.1, min_samples=100)
"""The blocks of seconds in tenths: what takes minutes takes seconds."""


@pytest.fixture
def sides() -> Iterator[tuple[Running, Running]]:
    with scoring_server() as source, scoring_server(Manner(seed=2)) as target:
        yield source, target


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(f'{{"inputs": [[{n}, {n + 1}], [1, 2.5]]}}\n' for n in range(20)))
    return path


def asked(sides: tuple[Running, Running], bodies: Path, tmp_path: Path, **changed: Any) -> CanaryRequest:
    probes = Probes(
        sides[0].connection("source"), sides[1].connection("target"), bodies, rate=150, timeout_seconds=0.5
    )
    kept: dict[str, Any] = {
        "run": RunKey(migration="m", phase="cutover", run="r1"),
        "step": "1",
        "limits": LIMITS,
        "seconds": 20.0,
        "probes": probes,
        "look_seconds": 0.5,
        "evidence_url": f"file://{tmp_path}/evidence",
    }
    return CanaryRequest(**(kept | changed))


async def test_a_good_target_is_promoted_and_a_second_run_asks_nobody(sides, bodies, tmp_path):
    told: list[str] = []
    record, ref = await analyse(asked(sides, bodies, tmp_path), told.append)
    assert (record.verdict, record.final) == ("promote", True)
    assert record.source.statuses[""] == record.source.requests >= 100
    mismatch = next(each for each in record.metrics if each.name == "mismatch")
    assert mismatch.estimate == 0
    assert mismatch.evidence >= mismatch.pass_at
    assert record.looks[-1].decision == "promote"
    before = sides[1].manner.asked
    again, same = await analyse(asked(sides, bodies, tmp_path))
    assert (again, same) == (record, ref)
    assert sides[1].manner.asked == before


@pytest.mark.parametrize(
    ("manner", "metric"),
    [
        (Manner(shift=0.01), "mismatch"),
        (Manner(seconds=0.02), "latency_p50"),
        (Manner(errors=0.1), "errors"),
        (Manner(status=503), "errors"),
        (Manner(hang=True), "errors"),
    ],
    ids=["wrong", "slow", "failing", "dead", "hanging"],
)
async def test_a_bad_target_is_aborted(manner, metric, bodies, tmp_path):
    with scoring_server() as source, scoring_server(manner) as target:
        record, _ = await analyse(asked((source, target), bodies, tmp_path))
    assert (record.verdict, record.final) == ("abort", True)
    guilty = next(each for each in record.metrics if each.name == metric)
    assert guilty.against >= guilty.abort_at
    assert any(reason.startswith(metric) for reason in record.reasons)


async def test_a_target_that_is_not_there_is_aborted_within_some_blocks(sides, bodies, tmp_path):
    with scoring_server() as gone:
        pass
    record, _ = await analyse(asked((sides[0], gone), bodies, tmp_path))
    assert record.verdict == "abort"
    assert record.target.statuses == {"no answer": record.target.requests}
    # Twelve doublings are more than what is needed: that many blocks, of 15 requests each.
    assert record.samples < 15 * 20


async def test_a_source_that_fails_holds_and_promotes_nothing(bodies, tmp_path):
    with scoring_server(Manner(errors=0.6)) as source, scoring_server() as target:
        record, _ = await analyse(asked((source, target), bodies, tmp_path))
    assert (record.verdict, record.final) == ("hold", True)
    assert "the source itself fails" in record.reasons[0]


async def test_credentials_that_are_refused_judge_nobody(sides, bodies, tmp_path):
    sides[1].manner.token = "right"
    with pytest.raises(CredentialError, match="HL-8762"):
        await analyse(asked(sides, bodies, tmp_path))
    assert not (tmp_path / "evidence/m/cutover/r1").exists()


async def test_an_analysis_that_was_cut_off_goes_on_with_its_evidence(sides, bodies, tmp_path):
    request = asked(sides, bodies, tmp_path, at_least_seconds=60.0, seconds=60.0, look_seconds=0.2)
    looks = asyncio.Semaphore(0)
    running = asyncio.create_task(analyse(request, lambda _: looks.release()))
    for _ in range(5):
        await looks.acquire()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    sides[1].manner.shift = 1.0
    record, _ = await analyse(request)
    assert (record.verdict, record.resumed) == ("abort", 1)
    first = record.looks[3].samples
    assert first > 0
    assert record.samples > first
    assert [each.samples for each in record.looks] == sorted(each.samples for each in record.looks)
