"""Every field of the spec that names a place or connection: what of the data gets there, or why nothing.

A test holds this table to the models: a new field that names a place fails it until somebody has decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SideName = Literal["source", "target"]


@dataclass(frozen=True)
class Reached:
    """A place that data of one thing in the spec reaches.

    :param leg: what it is called on the path.
    :param written: data is written or sent there; else it is only read where it lies.
    :param side: whose platform, region and connection hold where it names none of its own.
    :param url: the field with its URL, below the thing; empty where a connection is all that names it.
    :param connection: the field with its connection, likewise.
    """

    leg: str
    written: bool
    side: SideName
    url: str = ""
    connection: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it takes in."""
        return tuple(each for each in (self.url, self.connection) if each)


def _sides(url: str = "", connection: str = "connection") -> tuple[Reached, Reached]:
    """Return source and target of something whose sides are called so."""
    urls = [f"{side}.{url}" if url else "" for side in ("source", "target")]
    return (
        Reached("source", False, "source", urls[0], f"source.{connection}"),
        Reached("target", True, "target", urls[1], f"target.{connection}"),
    )


def _artifacts(side: SideName) -> tuple[Reached, ...]:
    written = side == "target"
    return (
        Reached(f"{side} store", written, side, "", f"{side}.store_connection"),
        Reached(f"{side} artifacts", written, side, f"{side}.artifacts", f"{side}.artifacts_connection"),
        Reached(f"{side} artifacts", written, side, f"more_artifacts.{side}", f"{side}.artifacts_connection"),
    )


MOVED: dict[str, tuple[Reached, ...]] = {
    "databases": _sides(),
    "streams": _sides(),
    "registries": (*_sides(), *_artifacts("source"), *_artifacts("target")),
    "feature_stores": (
        *_sides(),
        Reached("source history", False, "source", "history.source", "source.history_connection"),
        Reached("target history", True, "target", "history.target", "target.history_connection"),
    ),
    "models": (
        *_sides("url"),
        Reached("source endpoint", True, "source", "", "source_endpoint"),
        Reached("target endpoint", True, "target", "", "target_endpoint"),
        Reached("golden inputs", False, "source", "golden_inputs", "golden_connection"),
        Reached("converted", True, "target", "converted.url", "converted.connection"),
    ),
    "envelopes": _sides("url"),
}
"""Section → where each of its things goes. Datasets are resolved first and have rules of their own."""


def _watched(*names: str) -> tuple[Reached, ...]:
    return tuple(
        Reached(f"{each} of the monitor", False, "source" if each.endswith("source") else "target",
                f"{each}.url", f"{each}.connection")
        for each in names
    )  # fmt: skip


USED: dict[str, tuple[Reached, ...]] = {
    "assess": (
        Reached("baseline requests", False, "source", "baselines.requests", "baselines.requests_connection"),
        Reached("baseline endpoint", True, "source", "", "baselines.connection"),
        Reached(
            "golden rows of a baseline", False, "source",
            "baselines.golden.inputs", "baselines.golden.connection",
        ),
    ),
    "manifests": (
        Reached("volumes of the source", False, "source", "", "volumes.source_connection"),
        Reached("volumes in between", True, "target", "volumes.bucket", "volumes.connection"),
        Reached("volumes of the target", True, "target", "", "volumes.target_connection"),
    ),
    "monitor": _watched(
        "drift.source", "drift.target", "drift.reference",
        "accuracy.source", "accuracy.target", "accuracy.labels",
        "slo.source", "slo.target", "gaps.source", "gaps.target",
    ),
    "optimize": (
        Reached("trial requests", False, "target", "trials.requests", "trials.requests_connection"),
    ),
    "cutover": (
        Reached("analysis requests", False, "source", "analysis.requests", ""),
        Reached("analysis on the source", True, "source", "", "analysis.source_connection"),
        Reached("analysis on the target", True, "target", "", "analysis.target_connection"),
    ),
    "workload_tests": (
        Reached("test requests", False, "target", "requests", "requests_connection"),
        Reached("tests on the target", True, "target", "", "connection"),
        Reached("tests on the source", True, "source", "", "functional.source_connection"),
        Reached("recorded answers", False, "target", "functional.answers", ""),
    ),
}  # fmt: skip
"""Section → where data is read or sent that has no name of its own there: it goes by the section's name."""

USED_NAMES = {section: section.replace("_", "-") for section in USED}
"""Section → the name under which its data is judged and classified."""

_FIGURES = "figures about machines and bills, nobody's data"
_CONTROL = "an interface that is told what to do; no data goes through it"
NOT_REACHED: dict[str, str] = {
    "assess.connection": "names and settings of components are read, no contents",
    "assess.also.connection": "names and settings of components are read, no contents",
    "assess.utilisation.prometheus_connection": _FIGURES,
    "assess.quotas.connection": _FIGURES,
    "datasets.service.connection": _CONTROL,
    "datasets.appliance.mount": "the device itself, which is judged by appliance_jurisdictions",
    "datasets.replicas.target.url": "a replica is judged as a dataset of its own",
    "datasets.replicas.target.connection": "a replica is judged as a dataset of its own",
    "endpoints.source.connection": "settings of an endpoint are read, and no data",
    "endpoints.target.connection": "settings, and models that other sections move",
    "infrastructure.state": "Terraform's state has settings; no data and no value of a secret",
    "infrastructure.state_connection": "Terraform's state has settings; no data and no value of a secret",
    "secrets.source_connection": "values of secrets: they have rules of their own, docs/reference/secrets.md",
    "secrets.target_connection": "values of secrets: they have rules of their own, docs/reference/secrets.md",
    "containers.source_connection": "images hold software",
    "containers.target_connection": "images hold software",
    "access.access_log": "who used which permission is read where it lies; names of identities are kept",
    "envelopes.key.connection": "it gets keys to wrap, and no data",
    "monitor.convergence.source.url": _FIGURES,
    "monitor.convergence.source.connection": _FIGURES,
    "monitor.convergence.target.url": _FIGURES,
    "monitor.convergence.target.connection": _FIGURES,
    "monitor.cost.source.url": _FIGURES,
    "monitor.cost.source.connection": _FIGURES,
    "monitor.cost.target.url": _FIGURES,
    "monitor.cost.target.connection": _FIGURES,
    "monitor.cost.predictions.url": _FIGURES,
    "monitor.cost.predictions.connection": _FIGURES,
    "optimize.rightsizing.series": _FIGURES,
    "optimize.rightsizing.connection": _FIGURES,
    "optimize.purchases.demand": _FIGURES,
    "optimize.purchases.connection": _FIGURES,
    "cutover.traffic.connection": _CONTROL,
    "cutover.writers.connection": _CONTROL,
    "cutover.schedules.source.connection": _CONTROL,
    "cutover.schedules.target.connection": _CONTROL,
    "cutover.analysis.business.connection": _FIGURES,
    "workload_tests.security.object": "asked for once without rights; what is refused sends nothing",
    "workload_tests.security.connection": "asked for once without rights; what is refused sends nothing",
    "workload_tests.security.owner_connection": "tells that the object is there; it is not read",
    "workload_tests.continuity.connection": _CONTROL,
}
"""Field → why no data gets there."""

BY_HAND = frozenset(
    {
        "source.connection", "target.connection", "evidence.connection", "evidence.url", "notify.connection",
        "datasets.source.url", "datasets.source.connection", "datasets.target.url",
        "datasets.target.connection", "datasets.service.manifest", "compliance.logs",
    }
)  # fmt: skip
"""Fields whose legs :mod:`heavylift.compliance.path` makes itself."""


def decided() -> frozenset[str]:
    """Return every field that somebody has decided about."""
    reached = {
        f"{section}.{field}"
        for table in (MOVED, USED)
        for section, places in table.items()
        for place in places
        for field in place.fields
    }
    return frozenset(reached | set(NOT_REACHED) | BY_HAND)
