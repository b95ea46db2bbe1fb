"""From what a machine was seen to use to the machine that would do.

Cores are judged at a quantile, memory at its peak: work that wants more cores waits, work that wants more
memory dies. What is not known is not guessed: too short a series, or one with gaps, gives no recommendation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from heavylift.optimize.checks import demand
from heavylift.optimize.machines import MachineType
from heavylift.optimize.series import Series

DAY = 86_400
RESAMPLES = 200
CPU, MEMORY, GPU, GPU_MEMORY = "cpu", "memory", "gpu", "gpu_memory"
_MOST = 1.02
"""Shares may be a little above 1 where an export rounds; far above, they are no shares."""


@dataclass(frozen=True)
class SizingRules:
    """What a machine must hold.

    :param quantile: of the use of cores and accelerators; 1 is the peak.
    :param headroom: beyond that, and beyond the peak of memory.
    :param least_days: a shorter series is not judged; ``least_coverage`` of its moments must have values.
    :param longest_gap: hours without a value that are still borne.
    """

    quantile: float = 0.99
    headroom: float = 0.2
    least_days: float = 7.0
    least_coverage: float = 0.9
    longest_gap: float = 6.0

    def __post_init__(self) -> None:
        """Refuse rules that cannot be."""
        fine = (
            0 < self.quantile <= 1
            and 0 <= self.headroom <= 10
            and self.least_days >= 0
            and 0 < self.least_coverage <= 1
            and self.longest_gap > 0
        )
        got = "a quantile, headroom, number of days, coverage or gap that cannot be"
        demand(fine, "reading the rules of sizes", got, "a quantile in (0, 1], headroom from 0 to 10", "9254")


@dataclass(frozen=True)
class Need:
    """What was used, in absolute figures, headroom included.

    :param gpu_gib_each: of one device; ``gpu_gib`` of all, which fewer devices must still hold.
    """

    vcpu: float
    ram_gib: float
    gpus: float = 0.0
    gpu_gib_each: float = 0.0
    gpu_gib: float = 0.0


def columns_of(current: MachineType) -> tuple[str, ...]:
    """Return the columns that must be there for a machine."""
    return (CPU, MEMORY, GPU, GPU_MEMORY) if current.gpus else (CPU, MEMORY)


def insufficient(series: Series, columns: tuple[str, ...], rules: SizingRules) -> Iterator[str]:
    """Yield why a series says too little; nothing where it says enough."""
    if series.days < rules.least_days:
        yield f"{series.days:.1f} days of values; {rules.least_days:g} are needed"
    if series.at.size < 3:
        yield f"{series.at.size} moments"
        return
    usual = float(np.median(np.diff(series.at)))
    should = series.days * DAY / usual + 1
    for name in columns:
        known = series.at[~np.isnan(series[name])]
        if known.size < rules.least_coverage * should:
            yield (
                f"{name}: values at {known.size / should:.0%} of the moments;"
                f" {rules.least_coverage:.0%} are needed"
            )
        gap = float(np.diff(known, prepend=series.at[0], append=series.at[-1]).max()) / 3600
        if gap > rules.longest_gap:
            yield f"{name}: {gap:.1f} hours without a value; {rules.longest_gap:g} are borne"


def check_shares(series: Series, columns: tuple[str, ...], unit: str) -> Series:
    """Return the series with shares from 0 to 1.

    :raises SpecError: a value is far above the whole: then it is in another unit than was said.
    """
    scale = 100.0 if unit == "percent" else 1.0
    made = {name: series[name] / scale for name in columns}
    for name, values in made.items():
        top = float(np.nanmax(values)) if not np.isnan(values).all() else 0.0
        got = f"{name} up to {top * scale:g}"
        demand(top <= _MOST, "reading use", got, f"values up to {scale:g}, in the unit {unit}", "9255")
    return Series(series.at, made, series.repeated, series.reordered)


def need_of(series: Series, current: MachineType, rules: SizingRules) -> Need:
    """Return what the machine ``current`` was used for, headroom included."""
    more = 1 + rules.headroom
    known = {name: values for name, values in series.columns.items() if not np.isnan(values).all()}
    top = {name: float(np.nanquantile(known[name], rules.quantile)) for name in (CPU, GPU) if name in known}
    peak = {name: float(np.nanmax(known[name])) for name in (MEMORY, GPU_MEMORY) if name in known}
    each = peak.get(GPU_MEMORY, 0.0) * (current.gpu_gib_each or 0.0) * more
    return Need(
        vcpu=top[CPU] * (current.vcpu or 0.0) * more,
        ram_gib=peak[MEMORY] * (current.ram_gib or 0.0) * more,
        gpus=top.get(GPU, 0.0) * current.gpus * more,
        gpu_gib_each=each,
        gpu_gib=each * current.gpus,
    )


def shortfalls(need: Need, machine: MachineType) -> list[str]:
    """Return what a machine lacks for a need, in words; nothing where it would do."""
    found = []
    if machine.vcpu is None or machine.vcpu < need.vcpu:
        found.append(f"{_known(machine.vcpu)} cores, {need.vcpu:.1f} needed")
    if machine.ram_gib is None or machine.ram_gib < need.ram_gib:
        found.append(f"{_known(machine.ram_gib)} GiB of memory, {need.ram_gib:.1f} needed")
    if machine.gpus < need.gpus or (need.gpu_gib and not machine.gpus):
        found.append(f"{machine.gpus} accelerators, {need.gpus:.1f} needed")
    elif need.gpu_gib:
        # Fewer devices must hold together what all of them held.
        each = max(need.gpu_gib_each, need.gpu_gib / machine.gpus)
        if machine.gpu_gib_each is None or machine.gpu_gib_each < each:
            found.append(f"{_known(machine.gpu_gib_each)} GiB on each accelerator, {each:.1f} needed")
    return found


def comparable(current: MachineType, machine: MachineType) -> bool:
    """Tell whether the use of one says anything of the other: same accelerator, same kind of processor."""
    return (machine.gpu, machine.arm) == (current.gpu, current.arm)


def exceeded(
    series: Series,
    current: MachineType,
    chosen: MachineType,
    rules: SizingRules,
    generator: np.random.Generator,
) -> float:
    """Return in which share of resamples of whole days the chosen machine would be too small."""
    day = ((series.at - series.at[0]) // DAY).astype(np.int64)
    starts = np.searchsorted(day, np.arange(day[-1] + 2))
    parts = [slice(a, b) for a, b in pairwise(starts.tolist()) if b > a]
    cut = [{name: values[part] for name, values in series.columns.items()} for part in parts]
    beyond = 0
    for drawn in generator.integers(len(cut), size=(RESAMPLES, len(cut))):
        columns = {name: np.concatenate([cut[i][name] for i in drawn]) for name in series.columns}
        if any(np.isnan(values).all() for values in columns.values()):
            continue
        sample = Series(np.arange(len(columns[CPU]), dtype=np.float64), columns)
        beyond += bool(shortfalls(need_of(sample, current, rules), chosen))
    return beyond / RESAMPLES


def days_left(series: Series, name: str, capacity_share: float) -> float | None:
    """Return after how many days the daily peak reaches a share, if it goes on as it did; None: never.

    The slope is the median of the slopes between all pairs of days (Theil and Sen), which bears odd days.
    """
    day = ((series.at - series.at[0]) // DAY).astype(np.int64)
    known = ~np.isnan(series[name])
    peaks = [
        (number, float(series[name][known & (day == number)].max()))
        for number in np.unique(day[known]).tolist()
    ]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for at, a in enumerate(peaks) for b in peaks[at + 1 :]]
    slope = float(np.median(slopes)) if slopes else 0.0
    if slope <= 1e-9:
        return None
    return max(0.0, (capacity_share - float(np.median([p for _, p in peaks[-3:]]))) / slope)


def price_of(machine: MachineType) -> float:
    """Return the price of an hour; infinite where it is not known, so that it is never the cheapest."""
    return math.inf if machine.usd_per_hour is None else machine.usd_per_hour


def _known(value: float | None) -> str:
    return "an unknown number of" if value is None else f"{value:g}"
