"""Rules on what is watched: names once, a side to look at, and a baseline to look at it with."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.sections_monitor import AccuracyWatch, DriftWatch, SloWatch

_QUANTILES = (0.5, 0.9, 0.95, 0.99)


def monitor_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the section ``monitor`` of ``spec``."""
    if spec.monitor is None:
        if spec.schedule.monitor is not None:
            yield Broken(
                "8920", ("schedule", "monitor"), "a schedule, and nothing to watch", "a section monitor"
            )
        return
    seen: set[str] = set()
    for kind, index, watch in spec.monitor.watches():
        path: FieldPath = ("monitor", kind, index)
        if watch.name in seen:
            yield Broken("8921", (*path, "name"), f"the name {watch.name!r} a second time", "another name")
        seen.add(watch.name)
        if watch.source is None and watch.target is None:
            yield Broken("8922", path, "neither source nor target", "the table of at least one of them")
        if isinstance(watch, DriftWatch) and watch.reference is None and watch.source is None:
            yield Broken(
                "8923", path, "neither reference nor source", "one of them to compare the target with"
            )
        if isinstance(watch, AccuracyWatch) and watch.label_key and len(watch.label_key) != len(watch.key):
            got = f"{len(watch.label_key)} columns"
            yield Broken("8924", (*path, "label_key"), got, f"as many as in key, {len(watch.key)}")
        if isinstance(watch, SloWatch) and watch.judged not in _QUANTILES:
            yield Broken("8925", (*path, "judged"), f"{watch.judged:g}", ", ".join(map(str, _QUANTILES)))
    if not seen:
        yield Broken("8926", ("monitor",), "nothing to watch", "an entry of drift, accuracy, slo, …")
