"""Samples become blocks, answers become predictions, counters become differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heavylift.cutover.canary.endpoint import prediction_of
from heavylift.cutover.canary.live import Counters
from heavylift.cutover.canary.ports import SideFigures
from heavylift.cutover.canary.samples import (
    Business,
    Crowd,
    Latencies,
    Pairs,
    Sample,
    Tolerance,
    blocks_of,
    differ,
)
from heavylift.cutover.ports import Side

SOURCE, TARGET = Side.SOURCE, Side.TARGET


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"predictions": [1, 2.5]}', (1.0, 2.5)),
        (b'{"predictions": [[0.2, 0.8], [1, 0]]}', (0.2, 0.8, 1.0, 0.0)),
        (b'{"predictions": [{"b": 2, "a": 1}]}', (1.0, 2.0)),
        (b"3", (3.0,)),
    ],
)
def test_numbers_of_an_answer(content, expected):
    assert prediction_of(content) == expected


def test_what_has_no_numbers_is_a_digest_that_knows_no_order_of_fields():
    assert prediction_of(b'{"predictions": ["cat"]}') == prediction_of(b'{"predictions":["cat"]}')
    assert prediction_of(b'{"a": "x", "b": 1}') == prediction_of(b'{"b": 1, "a": "x"}')
    assert prediction_of(b'{"predictions": ["cat"]}') != prediction_of(b'{"predictions": ["dog"]}')
    assert prediction_of(b'{"predictions": [true]}') != prediction_of(b'{"predictions": [1]}')


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"<html>", b"1e999x", b'{"predictions": []}']
)
def test_an_answer_of_any_kind_is_a_prediction(content):
    assert isinstance(prediction_of(content), str)
    assert prediction_of(content) == prediction_of(content)


def test_numbers_beyond_all_bounds_are_no_error():
    assert isinstance(prediction_of(b"[" + b"9" * 400 + b"]"), str)
    assert prediction_of(b"[1e999]") == (math.inf,)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ((1.0, 2.0), (1.0, 2.0), 0.0),
        ((1.0, 2.0), (1.00005, 2.0), 0.0),
        ((1.0, 2.0), (1.001, 2.0), 1.0),
        ((1.0,), (1.0, 1.0), 1.0),
        ((math.nan,), (math.nan,), 0.0),
        ("a", "a", 0.0),
        ("a", (1.0,), 1.0),
    ],
)
def test_how_far_predictions_may_be_apart(source, target, expected):
    assert differ(source, target, Tolerance(1e-6, 1e-4)) == expected


def test_an_unknown_prediction_is_neither_equal_nor_different():
    assert math.isnan(differ(None, (1.0,), Tolerance()))


def test_samples_are_put_together_by_pair_and_second():
    samples = [
        Sample(SOURCE, 0.1, True, 0.01, (1.0,), pair="a"),
        Sample(TARGET, 0.1, True, 0.02, (1.0,), pair="a"),
        Sample(TARGET, 0.9, False, 0.02, None, pair="b", status="http 500"),
        Sample(SOURCE, 0.9, True, 0.02, (2.0,), pair="b"),
        Sample(SOURCE, 1.2, True, 0.01, (4.0,), pair="c"),
        Sample(TARGET, 1.3, True, 0.03, (5.0,), 7.0),
        Sample(SOURCE, 1.4, True, 0.03, (5.0,), 9.0),
    ]
    pairs, crowd, business = blocks_of(samples, 1.0, Tolerance())
    assert isinstance(pairs, Pairs)
    assert (pairs.moment, pairs.source_ok.tolist(), pairs.target_ok.tolist()) == (
        0,
        [True, True],
        [True, False],
    )
    assert pairs.mismatched[0] == 0
    assert math.isnan(pairs.mismatched[1])
    # Half a pair counts as a request of one side alone.
    assert isinstance(crowd, Crowd)
    assert (crowd.source.requests, crowd.target.requests, crowd.source.values) == (2, 1, (4.0, 5.0))
    assert business == Business(1.0, 9.0, 7.0)


def test_a_histogram_says_only_what_its_edges_say():
    found = Latencies(np.array([0.0, 0.1, 0.2]), np.array([0.1, 0.2, math.inf]), np.array([5.0, 3.0, 2.0]))
    assert found.surely_above(np.array([0.1, 0.15, 0.2, 0.3])).tolist() == [5, 2, 2, 0]
    assert found.maybe_above(np.array([0.1, 0.15, 0.2, 0.3])).tolist() == [5, 5, 2, 2]
    exact = Latencies.of([0.3, 0.1, 0.2])
    for act in (exact.surely_above, exact.maybe_above):
        assert act(np.array([0.05, 0.1, 0.25, 0.3])).tolist() == [3, 2, 1, 0]


def reading(requests: int, errors: int, *latency: int) -> SideFigures:
    """Return figures whose buckets end at 0.1 s, 0.2 s and so on."""
    edges = {round(0.1 * place, 1): count for place, count in enumerate(latency, 1)}
    return SideFigures(requests, errors, edges)


def test_counters_become_what_happened_between_two_readings():
    counters = Counters()
    assert counters.block(0, {SOURCE: reading(100, 1, 90, 100), TARGET: reading(7, 0, 7)}) is None
    block = counters.block(1, {SOURCE: reading(150, 3, 130, 150), TARGET: reading(9, 1, 8, 9)})
    assert block is not None
    assert (block.source.requests, block.source.errors) == (50, 2)
    assert (block.target.requests, block.target.errors) == (2, 1)
    assert block.source.latencies.counts.tolist() == [40, 10]
    assert block.source.latencies.high.tolist() == [0.1, 0.2]
    # Of the new bucket only what came since: the reading before had 7 at or below its last edge.
    assert block.target.latencies.counts.tolist() == [1, 1]
    assert counters.resets == 0


def test_a_counter_that_was_set_back_counts_from_nothing():
    counters = Counters()
    counters.block(0, {SOURCE: reading(100, 5, 100), TARGET: reading(50, 0, 50)})
    block = counters.block(1, {SOURCE: reading(130, 5, 130), TARGET: reading(4, 1, 4)})
    assert block is not None
    assert (block.source.requests, block.target.requests, block.target.errors) == (30, 4, 1)
    assert counters.resets == 1
    late = counters.block(2, {SOURCE: reading(140, 5, 140)})
    assert late is not None
    assert (late.source.requests, late.target.requests) == (10, 0)
