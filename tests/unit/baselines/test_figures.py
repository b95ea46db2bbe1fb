"""Histograms merge and keep their stated error; intervals hold the truth as often as they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import HistogramRecord
from heavylift.histograms import RELATIVE_ERROR, Histogram, bucket_of, value_of
from heavylift.load.client import this_machine
from heavylift.load.intervals import quantile_figures, ratio_figures
from heavylift.platforms.bodies import read_bodies


def test_every_value_comes_back_within_the_stated_error() -> None:
    values = [*range(5000), *(int(1.01**power) for power in range(400, 2200))]
    for value in values:
        assert abs(value_of(bucket_of(value)) - value) <= RELATIVE_ERROR * value
    buckets = [bucket_of(value) for value in sorted(values)]
    assert buckets == sorted(buckets)


def test_merging_loses_nothing_and_survives_being_written() -> None:
    generator = np.random.default_rng(1)
    values = generator.lognormal(-3, 1, 3000)
    parts = [HistogramRecord.of(Histogram.of(values[at::3])) for at in range(3)]
    read = [HistogramRecord.model_validate_json(each.model_dump_json()) for each in parts]
    merged = Histogram().merged(*(each.histogram() for each in read))
    assert merged.counts == Histogram.of(values).counts
    for share in (0.01, 0.5, 0.95, 0.99, 0.999):
        exact = np.quantile(values, share, method="inverted_cdf")
        assert merged.quantile(share) == pytest.approx(exact, rel=RELATIVE_ERROR, abs=1e-6)


def test_another_layout_of_buckets_is_no_such_record() -> None:
    with pytest.raises(ValueError, match="sub_bucket_bits"):
        HistogramRecord.model_validate_json(json.dumps({"sub_bucket_bits": 7, "counts": {}}))


def _blocks(generator: np.random.Generator, scale: float = 1.0) -> list[Histogram]:
    # The blocks have moods: a tenth up and down, shared by what is in them.
    return [
        Histogram.of(scale * generator.normal(1, 0.1) * generator.lognormal(-3, 0.5, 50)) for _ in range(20)
    ]


def test_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(2)
    everything = generator.normal(1, 0.1, 100_000) * generator.lognormal(-3, 0.5, 100_000)
    truth = {share: 1e3 * np.quantile(everything, share) for share in (0.5, 0.95)}
    held = dict.fromkeys(truth, 0)
    for _ in range(60):
        for figure in quantile_figures(_blocks(generator), generator, tuple(truth)):
            assert figure.high_ms is not None
            held[figure.quantile] += figure.low_ms <= truth[figure.quantile] <= figure.high_ms
    assert min(held.values()) >= 52


def test_a_far_quantile_of_few_requests_has_no_upper_bound() -> None:
    generator = np.random.default_rng(3)
    of = {each.quantile: each for each in quantile_figures(_blocks(generator), generator)}
    assert of[0.99].high_ms is not None
    assert of[0.999].high_ms is None  # 1,000 requests: the largest is too low more than once in 40


def test_ratios_tell_a_slower_endpoint_from_an_equal_one() -> None:
    generator = np.random.default_rng(4)
    for scale, told in ((1.0, False), (1.3, True)):
        (ratio,) = ratio_figures(
            _blocks(generator), _blocks(generator, scale), generator, paired=False, quantiles=(0.5,)
        )
        assert ratio.high is not None
        assert (ratio.low > 1.1) is told
        assert ratio.low <= scale <= ratio.high


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no request in it"),
        (b"\n\n  \n", "no request in it"),
        (b'{"a": 1}\nsecret words\n', "line 2 is no JSON document"),
        (None, "No such file"),
    ],
)
def test_requests_that_can_t_be_used_are_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "requests.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SpecError, match=told) as caught:
        read_bodies(file)
    assert "secret" not in str(caught.value)


def test_one_document_of_many_lines_is_one_request(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{\n  "inputs": [1]\n}\n')
    assert read_bodies(file).bodies == (b'{\n  "inputs": [1]\n}',)
    file.write_text('{"inputs": [1]}\n{"inputs": [2]}\n')
    assert len(read_bodies(file).bodies) == 2


def test_the_fingerprint_names_the_processor_and_no_host(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU 9000 @ 3 GHz\n")
    machine = this_machine(tmp_path / "cpuinfo")
    assert machine.cpu == "Some CPU 9000 @ 3 GHz"
    assert machine.cores >= 1
