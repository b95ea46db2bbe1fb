"""The verdict: what aborts, what holds, what promotes, and what it says of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heavylift.cutover.canary.analysis import SequentialAnalysis, Verdict, Watched, judge_all
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.samples import Business, Crowd, Latencies, Pairs, Sample, SideCrowd
from heavylift.cutover.ports import Side
from heavylift.errors import SpecError
from heavylift.spec.canary_rules import Direction
from heavylift.spec.sections_platform import Cutover

LIMITS = Limits(steps=1, warm_up_seconds=0)


def pairs(
    place: int, *, source: float = 0.0, target: float = 0.0, slower: float = 1.0, differing: float = 0.0
) -> Pairs:
    """Return twenty pairs of which so many fail or differ."""
    generator = np.random.default_rng(place)
    durations = 0.02 * generator.lognormal(0, 0.3, (2, 20))
    return Pairs(
        float(place),
        generator.random(20) >= source,
        generator.random(20) >= target,
        durations[0],
        slower * durations[1],
        (generator.random(20) < differing).astype(float),
    )


def judged(count: int = 300, limits: Limits = LIMITS, **manner: float):
    return judge_all(SequentialAnalysis(limits), (pairs(place, **manner) for place in range(count)))


def test_nothing_known_is_a_hold_that_goes_on():
    found = SequentialAnalysis(LIMITS).verdict()
    assert (found.verdict, found.final, found.samples) == (Verdict.HOLD, False, 0)
    assert all("there are no samples of it" in reason for reason in found.reasons)


def test_a_good_target_is_promoted_with_all_its_numbers():
    found = judged()
    assert (found.verdict, found.final) == (Verdict.PROMOTE, True)
    for figure in found.metrics:
        assert figure.passed
        assert figure.evidence >= figure.pass_at == pytest.approx(20)
        assert figure.against < figure.abort_at == pytest.approx(200)
        assert figure.needs == "nothing more"
    errors = found.metrics[0]
    assert errors.estimate == 0
    assert errors.low is None
    assert errors.high == 0.01 or (errors.high or 1) <= 0.02


@pytest.mark.parametrize(
    ("manner", "name"),
    [({"target": 0.05}, "errors"), ({"slower": 2.0}, "latency_p50"), ({"differing": 0.2}, "mismatch")],
)
def test_what_is_bad_aborts_and_says_by_how_much(manner: dict[str, float], name: str):
    found = judged(**manner)
    assert (found.verdict, found.final) == (Verdict.ABORT, True)
    figure = next(each for each in found.metrics if each.name == name)
    assert figure.against >= figure.abort_at
    assert figure.estimate is not None
    assert figure.estimate > figure.good
    assert f"{name} is beyond {figure.good:g}" in " ".join(found.reasons)
    assert figure.low is None or figure.low <= figure.estimate


def test_a_dead_target_is_aborted_after_a_dozen_blocks():
    found = judged(target=1.0)
    assert found.verdict is Verdict.ABORT
    assert found.samples <= 12 * 20


def test_one_second_of_outage_aborts_nobody_and_shows_in_the_evidence():
    analysis = SequentialAnalysis(LIMITS)
    blocks = [pairs(place, target=1.0 if place == 30 else 0.0) for place in range(60)]
    for block in blocks:
        analysis.feed_block(block)
    errors = analysis.verdict().metrics[0]
    assert 1.0 < errors.against < 3.0
    assert not analysis.aborts()


def test_a_source_that_fails_holds_and_a_target_that_fails_more_aborts():
    found = judged(source=0.5)
    assert (found.verdict, found.final) == (Verdict.HOLD, True)
    assert "the source itself fails" in found.reasons[0]
    assert judged(source=0.05, target=1.0).verdict is Verdict.ABORT


def test_both_failing_alike_aborts_nobody():
    found = judged(count=200, source=0.05, target=0.05)
    assert found.verdict is not Verdict.ABORT


def test_what_lies_between_good_and_bad_is_not_promoted_above_the_middle():
    found = judged(count=500, slower=1.4)
    assert found.verdict is not Verdict.PROMOTE


def test_a_step_that_settles_nothing_ends_at_its_most_samples_with_what_is_missing():
    limits = replace(LIMITS, max_samples=200)
    found = judged(limits=limits)
    assert (found.verdict, found.final) == (Verdict.HOLD, True)
    assert any("more samples are needed" in reason for reason in found.reasons)


def test_the_error_is_shared_among_steps_and_metrics():
    few = SequentialAnalysis(replace(LIMITS, steps=1)).verdict().metrics
    many = SequentialAnalysis(replace(LIMITS, steps=6), Watched(live=True, business=True)).verdict().metrics
    assert few[0].abort_at == pytest.approx(4 / 0.02)
    assert many[0].abort_at == pytest.approx(len(many) * 6 / 0.02)


def test_samples_and_blocks_are_judged_alike():
    by_sample, by_block = SequentialAnalysis(LIMITS), SequentialAnalysis(LIMITS)
    for place in range(40):
        block = pairs(place, target=0.02, differing=0.1)
        by_block.feed_block(block)
        samples = []
        for number in range(20):
            for side, ok, seconds in (
                (Side.SOURCE, block.source_ok[number], block.source_seconds[number]),
                (Side.TARGET, block.target_ok[number], block.target_seconds[number]),
            ):
                shown = 1.0 + (side is Side.TARGET) * float(block.mismatched[number])
                samples.append(
                    Sample(
                        side,
                        place + number / 40,
                        bool(ok),
                        float(seconds),
                        (shown,),
                        pair=f"{place}-{number}",
                    )
                )
        by_sample.feed(samples)
    one, other = by_sample.verdict(), by_block.verdict()
    # Of a failed request there is no prediction: those pairs are known to the blocks alone.
    assert [each.against for each in one.metrics[:3]] == pytest.approx(
        [each.against for each in other.metrics[:3]]
    )
    assert one.verdict is other.verdict


@pytest.mark.parametrize("live", [False, True])
def test_a_state_goes_through_json_and_goes_on(live: bool):
    watched = Watched(pairs=not live, live=live, business=True)
    whole, first, second = (SequentialAnalysis(LIMITS, watched) for _ in range(3))

    def block(place: int) -> Any:
        if place % 10 == 9:
            return Business(float(place), 10.0, 9.9)
        return crowd(place) if live else pairs(place, differing=0.01)

    for place in range(80):
        whole.feed_block(block(place))
        (first if place < 50 else second).feed_block(block(place))
        if place == 49:
            second.restore(json.loads(json.dumps(first.state())))
    one, other = whole.verdict(), second.verdict()
    assert one.samples == other.samples
    assert [math.log(each.against) for each in other.metrics] == pytest.approx(
        [math.log(each.against) for each in one.metrics], abs=0.4
    )


def crowd(place: int, *, errors: float = 0.0, slower: float = 1.0, shift: float = 0.0) -> Crowd:
    generator = np.random.default_rng(place)
    sides = []
    for requests, rate, factor, moved in ((80, 0.0, 1.0, 0.0), (20, errors, slower, shift)):
        failed = int(generator.binomial(requests, rate))
        good = requests - failed
        durations = factor * 0.02 * generator.lognormal(0, 0.3, good)
        values = tuple((generator.normal(size=good) + moved).tolist())
        sides.append(SideCrowd(requests, failed, Latencies.of(durations), values))
    return Crowd(float(place), *sides)


@pytest.mark.parametrize(
    ("manner", "name"),
    [({"errors": 0.05}, "live_errors"), ({"slower": 2.0}, "live_latency"), ({"shift": 1.0}, "shift")],
)
def test_live_traffic_alone_is_judged(manner: dict[str, float], name: str):
    analysis = SequentialAnalysis(LIMITS, Watched(pairs=False, live=True))
    found = judge_all(analysis, (crowd(place, **manner) for place in range(200)))
    assert found.verdict is Verdict.ABORT
    assert any(reason.startswith(name) for reason in found.reasons)
    good = SequentialAnalysis(LIMITS, Watched(pairs=False, live=True))
    assert judge_all(good, (crowd(place) for place in range(400))).verdict is Verdict.PROMOTE


def test_labels_are_watched_as_numbers_are():
    def labels(place: int, share: float) -> Crowd:
        generator = np.random.default_rng(place)
        sides = []
        for count, chance in ((80, 0.3), (20, share)):
            values = tuple("yes" if each < chance else "no" for each in generator.random(count))
            sides.append(SideCrowd(count, 0, Latencies.of([0.02] * count), values))
        return Crowd(float(place), *sides)

    analysis = SequentialAnalysis(LIMITS, Watched(pairs=False, live=True))
    found = judge_all(analysis, (labels(place, 0.7) for place in range(200)))
    assert found.verdict is Verdict.ABORT
    assert found.reasons[0].startswith("shift")
    good = SequentialAnalysis(LIMITS, Watched(pairs=False, live=True))
    assert judge_all(good, (labels(place, 0.3) for place in range(120))).verdict is not Verdict.ABORT


def test_beside_pairs_live_traffic_can_abort_and_need_not_prove():
    analysis = SequentialAnalysis(LIMITS, Watched(live=True))
    for place in range(60):
        analysis.feed_block(pairs(place))
    assert analysis.verdict().verdict is Verdict.PROMOTE
    for place in range(60, 200):
        analysis.feed_block(crowd(place, errors=0.1))
    assert analysis.verdict().verdict is Verdict.ABORT


@pytest.mark.parametrize(("direction", "worse"), [(Direction.HIGHER, 0.7), (Direction.LOWER, 1.4)])
def test_a_business_metric_aborts_promotes_and_minds_its_direction(direction: Direction, worse: float):
    limits = replace(LIMITS, business_direction=direction)

    def after(factor: float) -> SequentialAnalysis:
        analysis = SequentialAnalysis(limits, Watched(business=True))
        for place in range(60):
            analysis.feed_block(pairs(place))
        for place in range(20):
            # Of any scale, and with a tail.
            value = 1e6 * (place + 1) ** 2
            analysis.feed_block(Business(60.0 + place, value, factor * value))
        return analysis

    assert after(worse).verdict().verdict is Verdict.ABORT
    assert after(1.0).verdict().verdict is Verdict.PROMOTE
    assert after(2 - worse).verdict().verdict is Verdict.PROMOTE
    unread = SequentialAnalysis(limits, Watched(business=True))
    for place in range(60):
        unread.feed_block(pairs(place))
        unread.feed_block(Business(float(place), math.nan, 1.0))
    assert unread.verdict().verdict is Verdict.HOLD


def test_limits_come_from_the_spec_and_must_leave_room():
    cutover = Cutover.model_validate({"runbook_owner": "somebody", "max_error_rate": 0.002})
    limits = Limits.of(cutover)
    assert (limits.errors.good, limits.errors.bad, limits.latency.good) == (0.002, 0.005, 1.2)
    assert (limits.false_abort, limits.miss, limits.steps) == (0.02, 0.05, 1)
    wrong = Cutover.model_validate({"runbook_owner": "somebody", "max_error_rate": 0.01})
    with pytest.raises(SpecError, match="HL-8761"):
        Limits.of(wrong)
