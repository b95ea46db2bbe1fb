"""Rules on what is optimised: names once, prices for every setting, and something to reckon with."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.sections_optimize import Optimize, Purchase, TrialStudy

_QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


def optimize_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the section ``optimize`` of ``spec``."""
    if spec.optimize is None:
        return
    found = spec.optimize
    if not (found.trials or found.rightsizing or found.purchases):
        yield Broken(
            "9266", ("optimize",), "nothing to optimise", "an entry of trials, rightsizing or purchases"
        )
    for section in ("trials", "rightsizing", "purchases"):
        names = [each.name for each in getattr(found, section)]
        for index, name in enumerate(names):
            if name in names[:index]:
                path: FieldPath = ("optimize", section, index, "name")
                yield Broken("9267", path, f"the name {name!r} a second time", "another name")
    for index, study in enumerate(found.trials):
        yield from _study(study, ("optimize", "trials", index))
    yield from _sizes(found)
    for index, purchase in enumerate(found.purchases):
        yield from _purchase(purchase, ("optimize", "purchases", index))


def _sizes(found: Optimize) -> Iterator[Broken]:
    for index, machine in enumerate(found.rightsizing):
        if (machine.series is None) == (machine.component is None):
            here: FieldPath = ("optimize", "rightsizing", index)
            yield Broken("9411", here, "not exactly one of series and component", "one of them")
        if machine.unit not in {"share", "percent"}:
            unit: FieldPath = ("optimize", "rightsizing", index, "unit")
            yield Broken("9268", unit, repr(machine.unit), "share or percent")


def _study(study: TrialStudy, path: FieldPath) -> Iterator[Broken]:
    if study.quantile not in _QUANTILES:
        yield Broken("9269", (*path, "quantile"), f"{study.quantile:g}", ", ".join(map(str, _QUANTILES)))
    if (study.usd_per_hour is None) == (study.price_knob is None):
        yield Broken("9270", path, "not exactly one of usd_per_hour and price_knob", "one of them")
    for field in ("price_knob", "instance_knob"):
        name = getattr(study, field)
        if name is not None and name not in study.knobs:
            yield Broken("9271", (*path, field), f"the knob {name!r}", f"one of {', '.join(study.knobs)}")
    if study.max_trials <= 2 * study.repeats:
        yield Broken(
            "9272", (*path, "max_trials"), f"{study.max_trials}", "more than twice as many as repeats"
        )


def _purchase(purchase: Purchase, path: FieldPath) -> Iterator[Broken]:
    if purchase.demand is None and purchase.job is None and purchase.serving is None:
        yield Broken("9273", path, "neither demand, nor job, nor serving", "one of them")
    spot = purchase.spot is None or purchase.interruptions is None
    if spot and (purchase.job is not None or purchase.serving is not None or purchase.spot_share):
        yield Broken("9274", path, "spot machines without a price or a rate", "spot and interruptions")
