"""Which service of one platform stands for which of another, and what is lost between them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from heavylift.facts.tables import Row, overridden

Level = Literal["equivalent", "partial", "none"]
PLATFORMS = ("aws", "gcp", "azure", "kubernetes")
_COLUMNS = {"aws": "aws", "gcp": "gcp", "azure": "azure", "kubernetes": "k8s_onprem"}
_TERRAFORM = ("aws_tf", "gcp_tf", "azure_tf")
_ALIASES = {
    "s3": "object storage",
    "gcs": "object storage",
    "google cloud storage": "object storage",
    "azure blob storage": "object storage",
    "posix": "shared file system",
    "postgresql": "relational",
    "mysql": "relational",
    "mariadb": "relational",
    "aurora": "relational",
    "mlflow": "experiment tracking",
    "kafka": "managed Kafka",
    "sagemaker model": "model registry",
    "sagemaker training job": "managed training job",
    "bedrock": "foundation models custom",
}
"""Names that people use, beside those of service_map.csv."""


@dataclass(frozen=True)
class ServiceMatch:
    """What one capability becomes on its way from ``source`` to ``target``.

    :param lost: what does not come along, in words.
    :param effort: 1 (a setting) to 5 (a project of its own).
    """

    capability: str
    source: str
    target: str
    source_service: str
    target_service: str
    level: Level
    lost: str
    effort: int
    route: str
    basis: str


@dataclass(frozen=True)
class ServiceMap:
    """All capabilities, as data."""

    rows: dict[str, Row]
    gaps: dict[tuple[str, str, str], Row]
    names: dict[str, str] = field(repr=False)

    def capability_of(self, service: str) -> str | None:
        """Return the capability that ``service`` names: its own name, a service's, or a Terraform type."""
        return self.names.get(_plain(service))

    def match(self, capability: str, source: str, target: str) -> ServiceMatch:
        """Return what ``capability`` becomes.

        :raises KeyError: there is no such capability.
        """
        row = self.rows[capability]
        mine, theirs = row[_COLUMNS[source]], row[_COLUMNS[target]]
        gap = self._gap(capability, source, target)
        level: Level = "equivalent"
        lost, effort, basis = "", 1, "service_map.csv, no gap noted"
        if source == target:
            effort, basis = 1, "one platform"
        elif not theirs or theirs.startswith("("):
            level, effort = "none", 5
            lost = f"no counterpart on {target}" + (f" {theirs}" if theirs else "")
            basis = "service_map.csv has no service there"
        elif gap:
            level, lost = _level(gap["level"]), gap["lost"]
            effort, basis = int(gap["effort"]), f"service_gaps.csv, {gap['as_of']}: {gap['basis']}"
        return ServiceMatch(
            capability, source, target, mine, theirs, level, lost, effort, row["migration_route"], basis
        )

    def pairs(self) -> Iterable[ServiceMatch]:
        """Yield every capability between all ordered pairs of platforms."""
        for capability in self.rows:
            for source in PLATFORMS:
                for target in PLATFORMS:
                    if source != target:
                        yield self.match(capability, source, target)

    def _gap(self, capability: str, source: str, target: str) -> Row | None:
        for key in ((source, target), ("*", target), (source, "*"), ("*", "*")):
            if found := self.gaps.get((capability, *key)):
                return found
        return None


def load_services(folder: Path | None = None) -> ServiceMap:
    """Return the map of services, with the rows of ``folder`` in their place.

    :raises SpecError: a table of ``folder`` cannot be used.
    """
    rows = {row["capability"]: row for row in overridden("service_map.csv", folder)}
    gaps = {
        (row["capability"], row["source"], row["target"]): row
        for row in overridden("service_gaps.csv", folder)
    }
    names = {_plain(alias): capability for alias, capability in _ALIASES.items()}
    # The first capability that names a service keeps the name: rows of the table go from the general
    # to the special.
    for capability, row in rows.items():
        for name in _names(row):
            names.setdefault(_plain(name), capability)
    names |= {_plain(capability): capability for capability in rows}
    return ServiceMap(rows, gaps, names)


def _names(row: Row) -> Iterable[str]:
    for column in _COLUMNS.values():
        cell = re.sub(r"\([^)]*\)", "", row[column]).strip()
        yield cell
        yield from (part.strip() for part in re.split(r" / | \+ ", cell))
    yield from (row[column] for column in _TERRAFORM if row[column])


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()


def _level(text: str) -> Level:
    if text == "equivalent":
        return "equivalent"
    return "partial" if text == "partial" else "none"
