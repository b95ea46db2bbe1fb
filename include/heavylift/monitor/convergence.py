"""Training curves of the target beside the band that several seeds made on the source."""

# SQL is built of our own names of tables; no data enters it.
# ruff: noqa: S608
from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import BandPoint, ConvergenceRecord, Verdict
from heavylift.evidence.store import open_evidence
from heavylift.monitor.joining import Columns, load, open_database
from heavylift.monitor.requests import Kept
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

LEAST_SEEDS = 3
MOST_POINTS = 200
_FLOOR = 1e-3
"""Of the mean: seeds that agree to the last digit still make a band."""

Curve = Mapping[float, float]


@dataclass(frozen=True)
class ConvergenceRequest:
    """Curves to compare.

    :param reference: table of the source's runs: one row for each run and step.
    :param current: table of the target's runs; each is judged.
    :param patience: so many steps in a row outside of the band are a divergence.
    :param lower_is_better: of the value, as of a loss.
    :param confidence: that a step of a run of the same kind lies in the band.
    """

    kept: Kept
    reference: Place
    current: Place
    run: str = "run"
    step: str = "step"
    value: str = "loss"
    patience: int = 5
    lower_is_better: bool = True
    confidence: float = 0.99
    memory_bytes: int = 512 * MIB


async def judge_convergence(request: ConvergenceRequest) -> tuple[ConvergenceRecord, EvidenceRef]:
    """Make the band of the source's seeds, hold the target's runs against it, and write the next record.

    :raises NotFoundError: a table is not there.
    :raises SpecError: a column is not there.
    """
    began = time.monotonic()
    kept = request.kept
    columns = Columns((request.run, request.step), request.value)
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        with open_database(request.memory_bytes) as database:
            await load(database, "before", request.reference, columns, request.memory_bytes // 4)
            await load(database, "now", request.current, columns, request.memory_bytes // 4)
            record = _record(request, _curves(database, "before"), _curves(database, "now"), began)
        _, ref = await write_watch(store, record)
    return record, ref


def _curves(database: Any, table: str) -> dict[str, dict[float, float]]:
    """Return the curves by run; a value that is no number is kept as one, for it is a divergence."""
    rows = database.execute(
        "SELECT coalesce(k0, ''), TRY_CAST(k1 AS DOUBLE), coalesce(TRY_CAST(v AS DOUBLE), 'nan'::DOUBLE)"
        f" FROM {table} WHERE TRY_CAST(k1 AS DOUBLE) IS NOT NULL"
    )
    found: dict[str, dict[float, float]] = {}
    while part := rows.fetchmany(10_000):
        for run, step, value in part:
            found.setdefault(run, {})[step] = value
    return found


@dataclass(frozen=True)
class Band:
    """By step: the mean of the seeds, and between what a further run of the same kind lies."""

    steps: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def band_of(curves: Mapping[str, Curve], confidence: float) -> Band | None:
    """Return the band of at least :data:`LEAST_SEEDS` curves; None where there are not so many.

    A step counts where all curves have it. The spread is pooled over neighbouring steps, for that of a few
    seeds at one step is mostly chance.
    """
    if len(curves) < LEAST_SEEDS:
        return None
    common = sorted(set.intersection(*(set(curve) for curve in curves.values())))
    if not common:
        return None
    values = np.array([[curve[step] for step in common] for curve in curves.values()])
    values = np.where(np.isfinite(values), values, np.nan)
    usable = ~np.isnan(values).any(axis=0)
    if not usable.any():
        return None
    values, steps = values[:, usable], np.array(common)[usable]
    mean = values.mean(axis=0)
    variance = _smoothed(values.var(axis=0, ddof=1))
    seeds = values.shape[0]
    spread = np.maximum(np.sqrt(variance * (1 + 1 / seeds)), _FLOOR * np.abs(mean))
    half = student_quantile(0.5 + confidence / 2, seeds - 1) * spread
    return Band(steps, mean, mean - half, mean + half)


def _smoothed(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    width = min(9, variance.size)
    padded = np.pad(variance, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def student_quantile(share: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution, by bisecting its integral."""
    grid = np.linspace(0, math.pi / 2, 20_001)[:-1]
    # With t = sqrt(degrees) tan(x) the density becomes a power of the cosine.
    weights = np.cos(grid) ** (degrees - 1)
    seen = np.cumsum((weights[1:] + weights[:-1]) / 2)
    at = int(np.searchsorted(seen / seen[-1], 2 * share - 1))
    return math.sqrt(degrees) * math.tan(float(grid[min(at + 1, grid.size - 1)]))


def _outside(curve: Curve, band: Band, *, lower_is_better: bool) -> list[tuple[float, float, bool]]:
    """Return step, value and whether it is worse than the band, for the steps within the band's reach."""
    found = []
    for step in sorted(curve):
        if band.steps[0] <= step <= band.steps[-1]:
            limit = float(np.interp(step, band.steps, band.high if lower_is_better else band.low))
            value = curve[step]
            worse = value > limit if lower_is_better else value < limit
            found.append((step, value, worse or not math.isfinite(value)))
    return found


def diverged_at(found: list[tuple[float, float, bool]], patience: int) -> float | None:
    """Return where the first stretch of ``patience`` worse steps begins; what is no number counts at once."""
    begun: float | None = None
    length = 0
    for step, value, worse in found:
        if not worse:
            begun, length = None, 0
            continue
        begun, length = (step if begun is None else begun), length + 1
        if length >= patience or not math.isfinite(value):
            return begun
    return None


def _record(
    request: ConvergenceRequest,
    before: Mapping[str, Curve],
    now: Mapping[str, Curve],
    began: float,
) -> ConvergenceRecord:
    band = band_of(before, request.confidence)
    steps, outside, first, worst = 0, 0, None, ""
    points: tuple[BandPoint, ...] = ()
    if band is not None:
        for run, curve in sorted(now.items()):
            found = _outside(curve, band, lower_is_better=request.lower_is_better)
            at = diverged_at(found, request.patience)
            steps, outside = steps + len(found), outside + sum(each[2] for each in found)
            if not points or (at is not None and (first is None or at < first)):
                points = _points(curve, band)
            if at is not None and (first is None or at < first):
                first, worst = at, run
    verdict, reasons = _verdict(band, len(before), steps, first, worst)
    kept = request.kept
    return ConvergenceRecord(
        migration=kept.migration, watch=kept.watch, kind="convergence", side=kept.side, run=kept.run,
        verdict=verdict, figures={"seeds": len(before), "steps": steps, "outside": outside},
        reasons=reasons,
        statement=f"{len(now):,} runs beside {len(before):,} seeds: {outside:,} of {steps:,} steps are worse"
        " than the band" + ("" if first is None else f"; diverged at step {first:g}"),
        took_seconds=round(time.monotonic() - began, 3),
        reference_url=str(request.reference.location), current_url=str(request.current.location),
        seeds=len(before), steps=steps, outside=outside, diverged_at=first, points=points,
    )  # fmt: skip


def _points(curve: Curve, band: Band) -> tuple[BandPoint, ...]:
    chosen = np.unique(np.linspace(0, band.steps.size - 1, min(MOST_POINTS, band.steps.size)).astype(int))
    points = []
    for index in chosen.tolist():
        value = curve.get(float(band.steps[index]))
        points.append(
            BandPoint(
                step=float(band.steps[index]),
                value=value if value is None or math.isfinite(value) else None,
                mean=float(band.mean[index]),
                low=float(band.low[index]),
                high=float(band.high[index]),
            )
        )
    return tuple(points)


def _verdict(
    band: Band | None, seeds: int, steps: int, first: float | None, worst: str
) -> tuple[Verdict, tuple[str, ...]]:
    if first is not None:
        return "alarm", (f"run {worst[:100]} leaves the band at step {first:g}",)
    if band is None:
        return "unsure", (f"{seeds} seeds with common steps; at least {LEAST_SEEDS} make a band",)
    return ("ok", ()) if steps else ("unsure", ("no step of the target lies within the source's",))
