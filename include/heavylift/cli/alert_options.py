"""Options that ``alerts``, ``alerts queries`` and ``alerts dashboards`` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.alerts.model import Platform

if TYPE_CHECKING:
    from heavylift.evidence.records import RunKey

Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", help="A rule, query or widget that may differ; may be given again."),
]
Series = Annotated[
    list[Path] | None, typer.Option("--series", help="Samples, JSON lines; may be given again.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing at all.")]


@dataclass(frozen=True)
class Sides:
    """Whose form a document has, whose it gets, and what things are called there."""

    source: Annotated[Platform, typer.Option("--source", help="cloudwatch, google, azure, prometheus.")]
    target: Annotated[Platform, typer.Option("--target", help="Likewise.")]
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="JSON: metrics, labels and scopes of the target.")
    ] = None
    accept: Accept = None

    @property
    def accepted(self) -> frozenset[str]:
        """What may differ."""
        return frozenset(self.accept or ())


def run_of(migration: str) -> RunKey:
    """Return the run under which a command's evidence lies: named for the moment."""
    from heavylift.evidence.alert_records import ALERTS_PHASE
    from heavylift.evidence.records import RunKey

    return RunKey(migration=migration, phase=ALERTS_PHASE, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f"))
