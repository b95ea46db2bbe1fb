"""The port of transfer services: what Heavylift needs of one that moves objects for it.

An adapter drives the real service; all methods may block, so callers run them in threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from heavylift.evidence.records import Tally
from heavylift.platforms.places import Place
from heavylift.spec.services import ServiceOptions


class ServiceState(StrEnum):
    """How far a service has come."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ServiceOrder:
    """One move that a service is asked for. Its repr shows no credentials.

    :param name: derived from migration, phase, run and dataset, so that a retry finds the same job.
    :param manifest: URL of the list of keys, relative to the source's prefix; a local path for a
        program that runs here.
    :param replaces: some keys hold an older copy of Heavylift's own, which the service must replace.
    :param settled: runs of this job whose end is already in evidence: they are not taken up again.
    """

    name: str
    source: Place
    target: Place
    manifest: str
    planned: Tally
    replaces: bool
    options: ServiceOptions
    keep_tags: bool = True
    max_bandwidth: int | None = None
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ServiceError:
    """Objects that failed for one reason, with a sample of what the service says."""

    code: str
    count: int
    sample: str = ""


@dataclass(frozen=True)
class ServiceStatus:
    """What the service says of one run. Its counters are told, and prove nothing.

    :param skipped: objects that the service found on the target and left.
    """

    state: ServiceState
    copied: Tally = field(default_factory=Tally)
    skipped: Tally = field(default_factory=Tally)
    failed: Tally = field(default_factory=Tally)
    errors: tuple[ServiceError, ...] = ()


class TransferService(Protocol):
    """A service that moves objects between two places."""

    name: str

    def start(self, order: ServiceOrder) -> str:
        """Return the handle of the order's run: the one that is under way, else a new one.

        Idempotent: a second call finds the job by its name and never starts a second run beside
        one that is under way.

        :raises HeavyliftError: the service refuses; nothing was started.
        """
        ...

    def look(self, handle: str) -> ServiceStatus:
        """Return how far the run has come.

        :raises PermanentError: the service knows no such run, or refuses to tell.
        """
        ...

    def cancel(self, handle: str) -> None:
        """Stop the run; no error if it has ended."""
        ...

    def tidy(self, name: str) -> None:
        """Remove the job called ``name`` from the service, after its end; no error if it is gone."""
        ...
