"""Is the target's quality as good? By paired resampling of the golden inputs, as a whole and by part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.errors import SpecError
from heavylift.evidence.model_records import ComparedMetric, ModelBaseline
from heavylift.models.requests import CompareOptions
from heavylift.scoring.golden import Golden, parts_of
from heavylift.scoring.metrics import METRICS, Metric
from heavylift.scoring.outputs import Outputs
from heavylift.scoring.statistics import Interval, paired_bootstrap


def compare_metrics(
    golden: Golden, source: Outputs, target: Outputs, options: CompareOptions, generator: np.random.Generator
) -> Iterator[ComparedMetric]:
    """Compare each metric on all rows and on each part of them.

    :raises SpecError: the model tells nothing that a metric could judge.
    """
    for name in options.metrics:
        metric = METRICS[name]
        truth = _truth(golden, name)
        pair = [_judged(metric, outputs) for outputs in (source, target)]
        for part, rows in parts_of(golden, options.slices):
            one, other = pair[0][rows], pair[1][rows]
            yield _compare(metric, part, truth[rows], one, other, options.max_metric_drop, generator)


def against_baseline(
    baseline: ModelBaseline,
    golden: Golden,
    golden_sha256: str,
    target: Outputs,
    options: CompareOptions,
    generator: np.random.Generator,
) -> Iterator[ComparedMetric]:
    """Hold the target against what the source did earlier, on the same golden inputs."""
    if baseline.golden_sha256 != golden_sha256:
        raise SpecError(
            f"comparing model {baseline.model!r} with its baseline",
            got=f"golden inputs {golden_sha256[:16]}…",
            expected=f"those of the baseline, {baseline.golden_sha256[:16]}…",
            state="nothing was concluded",
            remedy="measure the baseline again on these golden inputs, or leave it out",
            code="7505",
        )
    for name, before in baseline.metrics.items():
        if name not in METRICS or name not in options.metrics:
            continue
        metric, truth = METRICS[name], _truth(golden, name)
        found = _judged(metric, target)
        sign = 1.0 if metric.more_is_better else -1.0
        interval = paired_bootstrap(
            golden.rows,
            lambda rows, m=metric, t=truth, f=found, b=before, s=sign: s * (m.of(t[rows], f[rows]) - b),  # type: ignore[misc]
            generator,
        )
        # Other rows would have given the baseline another figure, too: only the estimate decides.
        yield ComparedMetric(
            metric=name,
            slice="than the baseline",
            rows=golden.rows,
            source=before,
            target=metric.of(truth, found),
            low=interval.low,
            high=interval.high,
            allowed_drop=options.max_metric_drop,
            passed=interval.estimate >= -options.max_metric_drop,
        )


def _compare(
    metric: Metric,
    part: str,
    truth: NDArray[Any],
    source: NDArray[Any],
    target: NDArray[Any],
    allowed: float,
    generator: np.random.Generator,
) -> ComparedMetric:
    sign = 1.0 if metric.more_is_better else -1.0
    figures = [metric.of(truth, each) for each in (source, target)]

    def difference(rows: NDArray[np.intp]) -> float:
        return sign * (metric.of(truth[rows], target[rows]) - metric.of(truth[rows], source[rows]))

    same = bool(np.array_equal(source, target))
    interval = Interval(0.0, 0.0, 0.0) if same else paired_bootstrap(len(truth), difference, generator)
    if math.isnan(interval.estimate):
        # A part in which only one class occurs has no AUC on either side.
        interval = Interval(0.0, 0.0, 0.0)
    return ComparedMetric(
        metric=metric.name,
        slice=part,
        rows=len(truth),
        source=_told(figures[0]),
        target=_told(figures[1]),
        low=_told(interval.low),
        high=_told(interval.high),
        allowed_drop=allowed,
        passed=interval.low >= -allowed,
    )


def _told(value: float) -> float:
    most = float(np.finfo(np.float64).max)
    return 0.0 if math.isnan(value) else max(-most, min(value, most))


def _truth(golden: Golden, metric: str) -> NDArray[Any]:
    if golden.truth is None:
        raise SpecError(
            f"measuring {metric}",
            got="golden inputs without a column of truth",
            expected="label: the column that holds it",
            state="nothing was concluded",
            remedy="name the column with label, or leave the metrics out",
            code="7506",
        )
    return golden.truth


def _judged(metric: Metric, outputs: Outputs) -> NDArray[Any]:
    found = outputs.positive if metric.needs_scores else outputs.answer
    if found is None:
        raise SpecError(
            f"measuring {metric.name}",
            got="a model that tells no score of one positive class"
            if metric.needs_scores
            else "scores alone",
            expected="scores of two classes, or one number" if metric.needs_scores else "an answer",
            state="nothing was concluded",
            remedy=f"take {metric.name} out of the model's metrics",
            code="7507",
        )
    return found
