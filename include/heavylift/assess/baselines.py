"""How long jobs took on the source, by the platform's own records of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heavylift.assess.translate.rows import first_at, number_of, values_at
from heavylift.assess.translate.table import row_of
from heavylift.evidence.assessment_records import JobBaseline

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.facts.accelerators import AcceleratorMap, InstanceType

_DONE = frozenset({"Completed", "COMPLETED", "JOB_STATE_SUCCEEDED"})
_MOST = 100
_P95 = 0.95
_SPANS = (
    ("TrainingStartTime", "TrainingEndTime"),
    ("ProcessingStartTime", "ProcessingEndTime"),
    ("TransformStartTime", "TransformEndTime"),
    ("startTime", "endTime"),
)


def baselines_of(
    listed: Iterable[Component], accelerators: AcceleratorMap, source: str
) -> tuple[JobBaseline, ...]:
    """Return durations and cost of completed jobs by type and instance type, most machine hours first.

    :param accelerators: tells the price of an hour of a machine of ``source``.
    """
    found: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for each in listed:
        row = row_of(each.native_type, each.kind)
        if not row.ends or not row.instance or each.status not in _DONE:
            continue
        attributes = each.attributes
        seconds = _seconds(attributes)
        if seconds is None:
            continue
        machines = sum(number_of(n) or 0 for n in values_at(row.machines, attributes)) or 1
        instance = str(first_at(row.instance, attributes) or "unknown")
        found[each.native_type, instance].append((seconds, machines))
    made = [_priced(_baseline(*key, jobs), accelerators.find(source, key[1])) for key, jobs in found.items()]
    ordered = sorted(made, key=lambda each: (-each.machine_hours, each.native_type, each.instance_type))
    return tuple(ordered[:_MOST])


def _baseline(native_type: str, instance_type: str, jobs: list[tuple[float, int]]) -> JobBaseline:
    durations = sorted(seconds for seconds, _ in jobs)
    middle = len(durations) // 2
    median = durations[middle] if len(durations) % 2 else (durations[middle - 1] + durations[middle]) / 2
    return JobBaseline(
        native_type=native_type,
        instance_type=instance_type,
        jobs=len(jobs),
        median_seconds=round(median, 3),
        p95_seconds=round(durations[min(len(durations) - 1, int(_P95 * len(durations)))], 3),
        machine_hours=round(sum(seconds * machines for seconds, machines in jobs) / 3600, 3),
    )


def _priced(jobs: JobBaseline, machine: InstanceType | None) -> JobBaseline:
    if machine is None or machine.usd_per_hour is None:
        return jobs
    price = f"{machine.usd_per_hour:g} USD an hour of {machine.name}, {machine.date or 'no date'}"
    return jobs.model_copy(
        update={"usd": round(jobs.machine_hours * machine.usd_per_hour, 2), "price": price}
    )


def _seconds(attributes: dict[str, Any]) -> float | None:
    told = attributes.get("TrainingTimeInSeconds")
    if isinstance(told, int | float):
        return float(told)
    for first, last in _SPANS:
        if attributes.get(first) and attributes.get(last):
            start, end = (datetime.fromisoformat(str(attributes[name])) for name in (first, last))
            return max(0.0, (end - start).total_seconds())
    return None
