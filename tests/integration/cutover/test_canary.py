"""The analysis of a step against real servers: good, bad, dead, and a source that is itself unwell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from heavylift.connections import Connection
from heavylift.cutover.canary.api import analyse
from heavylift.cutover.canary.limits import Limits, Range
from heavylift.cutover.canary.ports import SideFigures
from heavylift.cutover.canary.requests import BusinessSource, CanaryRequest, Probes
from heavylift.cutover.ports import Side
from heavylift.errors import ConnectionConfigError, CredentialError, ServerUnavailableError, SpecError
from heavylift.evidence.records import RunKey
from heavylift.spec.canary_rules import BusinessMetric
from tests.support.json_server import JsonServer
from tests.support.scoring_server import Manner, Running, scoring_server

LIMITS = Limits(
    errors=Range(0.01, 0.08),
    latency=Range(2.0, 5.0),
    mismatch=Range(0.01, 0.05),
    steps=1,
    warm_up_seconds=0.3,
    block_seconds=0.1,
    min_samples=60,
)
"""Wide, and the blocks of seconds in tenths: what takes minutes takes seconds, on a busy machine too."""


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
        sides[0].connection("source"), sides[1].connection("target"), bodies, rate=60, timeout_seconds=3
    )
    kept: dict[str, Any] = {
        "run": RunKey(migration="m", phase="cutover", run="r1"),
        "step": "1",
        "limits": LIMITS,
        "seconds": 40.0,
        "probes": probes,
        "look_seconds": 0.5,
        "evidence_url": f"file://{tmp_path}/evidence",
    }
    return CanaryRequest(**(kept | changed))


async def test_a_good_target_is_promoted_and_a_second_run_asks_nobody(sides, bodies, tmp_path):
    told: list[str] = []
    record, ref = await analyse(asked(sides, bodies, tmp_path), told.append)
    assert (record.verdict, record.final) == ("promote", True)
    assert record.source.statuses[""] == record.source.requests >= 60
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
        (Manner(seconds=0.1), "latency"),
        (Manner(errors=0.3), "errors"),
        (Manner(status=503), "errors"),
        (Manner(hang=True), "errors"),
    ],
    ids=["wrong", "slow", "failing", "dead", "hanging"],
)
async def test_a_bad_target_is_aborted(manner, metric, bodies, tmp_path):
    with scoring_server() as source, scoring_server(manner) as target:
        record, _ = await analyse(asked((source, target), bodies, tmp_path))
    assert (record.verdict, record.final) == ("abort", True)
    guilty = [each for each in record.metrics if each.name.startswith(metric)]
    assert max(each.against / each.abort_at for each in guilty) >= 1
    assert any(reason.startswith(metric) for reason in record.reasons)


async def test_a_target_that_is_not_there_is_aborted_within_some_blocks(sides, bodies, tmp_path):
    with scoring_server() as gone:
        pass
    record, _ = await analyse(asked((sides[0], gone), bodies, tmp_path))
    assert record.verdict == "abort"
    assert record.target.statuses == {"no answer": record.target.requests}
    # A dozen doublings are enough: about as many blocks, of six requests each.
    assert record.samples < 6 * 25


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


@dataclass
class MadeCounters:
    """Counters of live traffic that rise with each reading, and some of which are missing."""

    failing: float
    readings: int = 0

    async def observe(self) -> Mapping[Side, SideFigures]:
        self.readings += 1
        if self.readings % 5 == 0:
            raise ServerUnavailableError("asking the proxy", got="no answer", expected="its counters")
        made = {}
        for side, requests, share in ((Side.SOURCE, 90, 0.0), (Side.TARGET, 30, self.failing)):
            total = requests * self.readings
            edges = {0.01: total // 2, 0.02: total * 9 // 10, 0.03: total * 19 // 20, math.inf: total}
            made[side] = SideFigures(total, round(share * total), edges)
        return made


async def test_live_counters_abort_beside_good_pairs(sides, bodies, tmp_path):
    counters = MadeCounters(failing=0.2)
    request = asked(sides, bodies, tmp_path, at_least_seconds=40.0)
    record, _ = await analyse(request, live=counters)
    assert record.verdict == "abort"
    assert record.reasons[0].startswith("live_errors")
    assert record.target.live_errors == pytest.approx(0.2 * record.target.live_requests, rel=0.15)
    assert record.missed["live: ServerUnavailableError"] >= 1


@pytest.mark.parametrize(("on_target", "verdict"), [(5.0, "abort"), (10.1, "promote")])
async def test_a_business_metric_is_read_for_both_sides(on_target, verdict, sides, bodies, tmp_path):
    asked_for: list[str] = []

    def answer(_method: str, target: str, _body: Any) -> tuple[int, dict[str, Any]]:
        asked_for.append(target)
        # Among what is good: a reading without a number, which is left out.
        if len(asked_for) == 3:
            return 200, {"status": "success", "data": {"resultType": "vector", "result": []}}
        value = on_target if "target" in target else 10.0
        return 200, {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(value)]}]}}

    server = JsonServer(answer)
    metric = BusinessMetric(
        name="conversions",
        connection="prometheus",
        source_query='sum(x{side="source"})',
        target_query='sum(x{side="target"})',
    )
    read = BusinessSource(Connection("prometheus", "http", host=server.url), metric, every=0.1)
    request = asked(sides, bodies, tmp_path, business=read, at_least_seconds=1.0)
    try:
        record, _ = await analyse(request)
    finally:
        server.close()
    assert record.verdict == verdict
    figure = next(each for each in record.metrics if each.name == "business")
    assert figure.estimate == pytest.approx(1 - on_target / 10)
    assert record.missed == {"business: HL-8765": 1}
    times = [parse_qs(urlsplit(each).query)["time"] for each in asked_for[:2]]
    assert times[0] == times[1]


async def test_what_can_not_be_asked_is_refused_before_anybody_is(sides, bodies, tmp_path):
    request = asked(sides, bodies, tmp_path)
    assert request.probes is not None
    nowhere = replace(request, probes=replace(request.probes, target=Connection("target", "aws")))
    with pytest.raises(ConnectionConfigError, match="HL-8763"):
        await analyse(nowhere)
    with pytest.raises(SpecError, match="HL-8766"):
        await analyse(replace(request, probes=None))
    metric = BusinessMetric(name="m", connection="p", source_query="s", target_query="t")
    with pytest.raises(ConnectionConfigError, match="HL-8764"):
        await analyse(replace(request, business=BusinessSource(Connection("p", "aws"), metric)))
    assert sides[0].manner.asked <= 1
    assert not list(tmp_path.glob("evidence/**/*analysis*"))
