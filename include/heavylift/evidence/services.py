"""Records of what a transfer service was asked for and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.paths import dataset_folder
from heavylift.evidence.records import Record, RunKey, Tally, utc_now


class ServiceRunRecord(Record):
    """One run of a service that was started, or found under way.

    :param job: the job's name at the service; ``handle`` names the run.
    :param manifest: where the list of keys lies; empty where it is a file of the worker's.
    """

    schema_version: Literal["heavylift/service-run/v1"] = "heavylift/service-run/v1"
    run: RunKey
    dataset: str
    service: str
    job: str
    handle: str
    manifest: str = ""
    planned: Tally
    started_at: datetime = Field(default_factory=utc_now)


class ServiceEndRecord(Record):
    """How a run of a service ended, in the service's own words; the verification is the proof."""

    schema_version: Literal["heavylift/service-end/v1"] = "heavylift/service-end/v1"
    run: RunKey
    dataset: str
    service: str
    handle: str
    state: str
    copied: Tally
    skipped: Tally
    failed: Tally
    errors: tuple[str, ...] = ()
    ended_at: datetime = Field(default_factory=utc_now)


def service_run_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of the ``number``-th :class:`ServiceRunRecord` of a dataset, from 1."""
    return f"{dataset_folder(run, dataset)}/service-{number}.json"


def service_end_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of the :class:`ServiceEndRecord` of the ``number``-th run of a service."""
    return f"{dataset_folder(run, dataset)}/service-{number}-end.json"
