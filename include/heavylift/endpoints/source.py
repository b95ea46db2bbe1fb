"""What the source's endpoint is: its deployments, and what of them no target is told here. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.spec.secrets import hides

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class SourceDeployment:
    """A variant or a deployment as it serves today; None and empty where the product does not tell."""

    name: str
    machine: str = ""
    min_replicas: int | None = None
    max_replicas: int | None = None
    traffic: int | None = None
    port: int | None = None
    predict_route: str = ""
    health_route: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceEndpoint:
    """The source's endpoint.

    :param platform: whose machines it runs on.
    """

    platform: str
    deployments: tuple[SourceDeployment, ...] = ()
    gaps: tuple[EndpointGap, ...] = ()

    def find(self, name: str, wanted: str | None) -> SourceDeployment | None:
        """Return the deployment that one of the target's stands for."""
        by_name = {each.name: each for each in self.deployments}
        if wanted is not None:
            return by_name.get(wanted)
        return by_name.get(name) or (self.deployments[0] if len(self.deployments) == 1 else None)


def gap(subject: str, what: str, remedy: str) -> EndpointGap:
    """Return something that stays behind."""
    return EndpointGap(subject=subject, what=what, remedy=remedy)


def split_variables(name: str, found: Mapping[str, str]) -> tuple[dict[str, str], list[EndpointGap]]:
    """Return the variables that are no secrets, and a gap for each that looks like one; shows no value."""
    kept, gaps = {}, []
    for key, value in sorted(found.items()):
        if hides(value, key):
            gaps.append(
                gap(
                    f"{name}: variable {key}",
                    "its value looks like a secret, and is not carried over",
                    "move it by the section secrets, name its reference in variables, and accept this",
                )
            )
        else:
            kept[key] = value
    return kept, gaps


def told_fields(name: str, there: Raw, table: Mapping[str, tuple[str, str]]) -> Iterator[EndpointGap]:
    """Yield a gap for each field of a table that is there."""
    for key, (what, remedy) in table.items():
        if there.get(key):
            yield gap(f"{name}: {key}", what, remedy)


def in_percent(shares: Mapping[str, float]) -> dict[str, int]:
    """Return weights as percents that make 100 in all."""
    total = sum(shares.values())
    if not total:
        return dict.fromkeys(shares, 0)
    found = {name: int(100 * share / total) for name, share in shares.items()}
    most = max(shares, key=lambda name: shares[name])
    found[most] += 100 - sum(found.values())
    return found
