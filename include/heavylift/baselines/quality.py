"""How good an endpoint's predictions are: golden rows with labels, asked twice, with intervals."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heavylift.baselines.requests import GoldenAsk
from heavylift.baselines.truth import Known, known_rows
from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import GoldenQuality, QualityFigure
from heavylift.scoring.endpoints import EndpointSession
from heavylift.scoring.fetching import fetch_golden
from heavylift.scoring.golden import parts_of, read_golden, taken
from heavylift.scoring.metrics import METRICS, Metric
from heavylift.scoring.outputs import Outputs, is_float
from heavylift.scoring.statistics import mismatch_bound, paired_bootstrap

_TAIL = 0.975
"""Of one side of an interval at 95 %."""

Task = Literal["classification", "regression"]
Values = NDArray[Any]


@dataclass(frozen=True)
class Asked:
    """The endpoint, as golden rows are sent to it.

    :param address: the same URL that is measured.
    :param check: called between two requests; raises where the work is to stop.
    """

    connection: Connection
    address: str
    seconds: float
    seed: int
    check: Callable[[], None] = lambda: None


async def fetch_known(ask: GoldenAsk) -> Known:
    """Read the golden rows, and send nothing.

    :raises SpecError: a column is not there, or no row has a label.
    :raises NotFoundError: there is no such object.
    :raises IntegrityError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="heavylift-golden-") as folder:
        path, name, sha256 = await fetch_golden(ask.place, Path(folder))
        golden = read_golden(path, name, label=ask.label, slices=ask.slices, drop=ask.drop)
    return known_rows(golden, sha256, str(ask.place.location).rstrip("/"))


def measure_quality(ask: GoldenAsk, known: Known, asked: Asked) -> GoldenQuality:
    """Ask all rows twice, the second time in reverse order, and judge the answers. It blocks.

    :raises SpecError: the answers cannot be judged by these labels or metrics.
    :raises ServerUnavailableError: it does not answer, or not with success.
    :raises IntegrityError: it answers no predictions.
    """
    began = time.monotonic()
    rows, back = known.golden.rows, np.arange(known.golden.rows)[::-1]
    first = _answers(ask, known, asked, np.arange(rows))
    again = {name: each[back] for name, each in _answers(ask, known, asked, back).columns.items()}
    answers = (first, Outputs(again))
    task, names = _chosen(ask, known, first)
    judged = [
        (METRICS[name], [_judged(ask, METRICS[name], known, each) for each in answers]) for name in names
    ]
    generator = np.random.default_rng(asked.seed)
    figures = tuple(_figures(ask, known, judged, generator, asked.check))
    changed, largest = _changed(first.columns, again)
    return GoldenQuality(
        inputs=known.origin, golden_sha256=known.sha256, label=ask.label, task=task, rows=rows,
        unlabelled=known.unlabelled, threshold=ask.threshold, figures=figures, changed=changed,
        changed_bound=mismatch_bound(changed, rows), largest_change=largest, seed=asked.seed,
        took_seconds=round(time.monotonic() - began, 3), statement=_statement(figures, rows, changed),
    )  # fmt: skip


def _answers(ask: GoldenAsk, known: Known, asked: Asked, order: NDArray[np.intp]) -> Outputs:
    name = f"the endpoint behind connection {asked.connection.conn_id!r}"
    golden = taken(known.golden, order)
    with EndpointSession(
        name, asked.connection, golden, asked.seconds, asked.check, address=asked.address, batch=ask.batch
    ) as session:
        return session.predict().outputs


def _chosen(ask: GoldenAsk, known: Known, outputs: Outputs) -> tuple[Task, Sequence[str]]:
    """Return what the rows are about, and what is measured: as asked, or by labels and answers."""
    answer, numbers = outputs.answer, ("rmse", "mae", "r2")
    if ask.metrics:
        return "regression" if set(ask.metrics) <= set(numbers) else "classification", ask.metrics
    if is_float(known.truth) and np.any(known.truth != np.floor(known.truth)):
        return "regression", numbers
    scored = ("auc", "log_loss") if known.binary and _is_score(outputs.positive) else ()
    if ask.threshold is not None or (answer is not None and not _broken(answer)):
        return "classification", ("accuracy", "f1", *scored)
    return ("classification", scored) if scored else ("regression", numbers)


def _broken(values: Values) -> bool:
    return is_float(values) and bool(np.any(values != np.floor(values)))


def _is_score(values: Values | None) -> bool:
    return values is not None and bool(np.all((values >= 0) & (values <= 1))) and _broken(values)


def _judged(ask: GoldenAsk, metric: Metric, known: Known, outputs: Outputs) -> Values:
    """Return the column that a metric judges, in the kind of the truth."""
    if metric.needs_scores:
        found = outputs.positive
    elif ask.threshold is not None and metric.name in {"accuracy", "f1"}:
        found = outputs.positive if known.binary else None
        if found is not None:
            labels = np.unique(known.truth)
            found = np.where(found >= ask.threshold, labels[-1], labels[0])
    else:
        found = outputs.answer
    if found is None:
        raise _unjudged(metric.name, "answers without what it needs: scores of one positive class, or labels")
    of_numbers = metric.name in {"rmse", "mae", "r2", *(("log_loss", "auc") if metric.needs_scores else ())}
    truth_is_text, found_is_text = (each.dtype.kind == "U" for each in (known.truth, found))
    if (of_numbers and found_is_text) or (not metric.needs_scores and truth_is_text != found_is_text):
        example = f"labels such as {known.truth[0]!s:.40}, answers such as {found[0]!s:.40}"
        raise _unjudged(metric.name, example)
    return found


def _figures(
    ask: GoldenAsk,
    known: Known,
    judged: Sequence[tuple[Metric, Sequence[Values]]],
    generator: np.random.Generator,
    check: Callable[[], None],
) -> Iterator[QualityFigure]:
    for metric, (first, again) in judged:
        for part, rows in parts_of(known.golden, ask.slices):
            check()
            truth = known.truth[rows]
            value = metric.of(truth, first[rows])
            if math.isnan(value):
                continue  # a part in which only one class occurs has no AUC
            low, high = _interval(metric, truth, first[rows], value, generator)
            second = metric.of(truth, again[rows])
            yield QualityFigure(
                metric=metric.name,
                part=part,
                rows=len(rows),
                value=value,
                low=low,
                high=high,
                again=None if math.isnan(second) else second,
            )


def _interval(
    metric: Metric, truth: Values, found: Values, value: float, generator: np.random.Generator
) -> tuple[float | None, float | None]:
    """Return the interval at 95 %: exact for a share, else by resampling of the rows."""
    rows = len(truth)
    if metric.name == "accuracy":
        right = round(value * rows)
        return 1 - mismatch_bound(rows - right, rows, _TAIL), mismatch_bound(right, rows, _TAIL)
    drawn = paired_bootstrap(rows, lambda some: metric.of(truth[some], found[some]), generator)
    if not (math.isfinite(drawn.low) and math.isfinite(drawn.high)) or drawn.low == drawn.high:
        return None, None  # rows that are all alike tell nothing of others
    return drawn.low, drawn.high


def _changed(first: Any, again: Any) -> tuple[int, float | None]:
    """Return how many rows were answered differently, and the largest difference of a number."""
    differs = np.zeros(min((len(each) for each in first.values()), default=0), dtype=bool)
    largest: float | None = None
    for name, before in first.items():
        after = again.get(name)
        if after is None or after.dtype.kind == "U" or before.dtype.kind == "U":
            differs |= True if after is None else before != after
            continue
        one, other = before.astype(np.float64), after.astype(np.float64)
        unequal = ~((one == other) | (np.isnan(one) & np.isnan(other)))
        differs |= unequal
        if is_float(before):
            gap = float(np.nanmax(np.abs(one - other), initial=0.0, where=np.isfinite(one - other)))
            largest = max(largest or 0.0, gap)
    return int(np.count_nonzero(differs)), largest


def _statement(figures: Sequence[QualityFigure], rows: int, changed: int) -> str:
    told = ", ".join(
        f"{each.metric} {each.value:.4g}"
        + ("" if each.low is None or each.high is None else f" [{each.low:.4g}, {each.high:.4g}]")
        for each in figures
        if not each.part
    )
    same = f"{changed:,} answered differently" if changed else "all answered alike"
    return f"{told} of {rows:,} golden rows; asked twice, {same}"


def _unjudged(metric: str, got: str) -> SpecError:
    return SpecError(
        f"measuring {metric} of golden rows",
        got=got,
        expected="answers of the kind that the labels have",
        state="the golden rows were asked; nothing was kept",
        remedy="write labels as the endpoint answers, choose other metrics, or give a threshold for scores",
        code="9120",
    )
