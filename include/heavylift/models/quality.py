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
        pair = [_judged(metric, outputs) for outputs in (source, target)]
        truth = _truth(golden, metric, pair[0])
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
        metric = METRICS[name]
        found = _judged(metric, target)
        truth = _truth(golden, metric, found)
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

    if math.isnan(figures[0]) and not part:
        raise _useless(metric, "no figure for all rows", "truth and answers that give one")
    same = bool(np.array_equal(source, target))
    interval = Interval(0.0, 0.0, 0.0) if same else paired_bootstrap(len(truth), difference, generator)
    if math.isnan(figures[1]) and not math.isnan(figures[0]):
        # The target has none where the source has one: that is as bad as can be.
        interval, figures[1] = Interval(-math.inf, -math.inf, -math.inf), -sign * math.inf
    elif math.isnan(interval.estimate):
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


def _truth(golden: Golden, metric: Metric, found: NDArray[Any]) -> NDArray[Any]:
    """Return the truth of each row, of the kind that the answers are of.

    :raises SpecError: truth and answers have nothing in common that the metric could judge.
    """
    truth = golden.truth
    if truth is None:
        raise SpecError(
            f"measuring {metric.name}",
            got="golden inputs without a column of truth",
            expected="label: the column that holds it",
            state="nothing was concluded",
            remedy="name the column with label, or leave the metrics out",
            code="7506",
        )
    if len(truth) != len(found):
        raise _useless(metric, f"{len(found):,} answers to {len(truth):,} rows", "one answer to each row")
    if missing := sum(map(_is_missing, truth.tolist())):
        raise _useless(metric, f"{missing:,} rows without truth", "the truth of each row")
    if metric.of_numbers:
        if truth.dtype.kind in "biufO" and found.dtype.kind in "biuf":
            return _numbers(metric, truth)
        raise _useless(
            metric, f"a truth of {truth.dtype} and answers of {found.dtype}", "numbers on both sides"
        )
    if metric.needs_scores:
        return truth if truth.dtype.kind in "biufU" else truth.astype(str)
    if (found.dtype.kind in "biuf") != (truth.dtype.kind in "biuf"):
        truth = truth.astype(str) if found.dtype.kind not in "biuf" else _numbers(metric, truth)
    if not np.isin(found, truth).any():
        raise _useless(metric, "answers of which none is in the column of truth", "labels of one kind")
    return truth


def _is_missing(value: Any) -> bool:
    return bool(value is None or str(value) in {"<NA>", "NaT"} or value != value)


def _numbers(metric: Metric, truth: NDArray[Any]) -> NDArray[Any]:
    try:
        return truth.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise _useless(metric, "a truth that is no number", "numbers on both sides") from error


def _useless(metric: Metric, got: str, expected: str) -> SpecError:
    return SpecError(
        f"measuring {metric.name}",
        got=got,
        expected=expected,
        state="nothing was concluded",
        remedy=f"correct label and the golden inputs, or take {metric.name} out of the model's metrics",
        code="9585",
    )


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
