"""The records of infrastructure: files, scan, terraform's plans, what was applied, what has drifted."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.records import RunKey, utc_now

INFRA_FOLDER = "~infra"
PROVISION_PHASE = "provision"
"""The phase that this evidence belongs to."""

MOST_CHANGES = 500
"""Changes of one root that a plan's record names; the digest is over all of them."""

StageName = Literal["first", "second"]


class NotMade(Record):
    """A component that gets no infrastructure.

    :param accepted: why that is all right; empty where nobody said.
    """

    component: str
    capability: str
    reason: str
    remedy: str
    accepted: str = ""


class GenerationRecord(Record):
    """What was generated, and where its text lies.

    Adds up: ``untranslated = accepted + open_untranslated``.

    :param digest: over all files; ``plan_digest`` is that of the migration's plan.
    :param files: digest of each file by path; ``bundle`` has their text.
    :param not_made: the first of the components that get nothing, those that nobody accepts at the front.
    :param waves: how many components each folder has.
    :param unused: acceptances that have met nothing.
    """

    schema_version: Literal["heavylift/infra-generation/v1"] = "heavylift/infra-generation/v1"
    run: RunKey
    made_at: datetime = Field(default_factory=utc_now)
    target: str
    region: str
    digest: str
    plan_digest: str
    folders: tuple[str, ...]
    made: int
    made_in: dict[str, int]
    untranslated: int
    accepted: int
    open_untranslated: int
    not_made: tuple[NotMade, ...] = ()
    unused: tuple[str, ...] = ()
    files: dict[str, str]
    bundle: EvidenceRef


class ScanFailure(Record):
    """A policy that fails and that no file explains."""

    check: str
    name: str
    resource: str
    where: str


class ScanRecord(Record):
    """What the scanner said of the files with the digest ``files_digest``."""

    schema_version: Literal["heavylift/infra-scan/v1"] = "heavylift/infra-scan/v1"
    run: RunKey
    scanned_at: datetime = Field(default_factory=utc_now)
    files_digest: str
    passed: int
    explained: int
    failed: int
    failures: tuple[ScanFailure, ...] = ()


class RootChange(Record):
    """What happens to one resource; values are never kept.

    :param fields: names of the attributes that change, for an update.
    """

    address: str
    type: str
    act: str
    fields: tuple[str, ...] = ()


class RootPlan(Record):
    """Terraform's plan of one root.

    :param digest: over everything that it would do, values included.
    :param counts: changes by act, which add up to ``change_count``.
    :param changes: the first of them.
    :param drifted: how many resources are on the platform other than the state says.
    :param lock: the root's lock file of providers, so that the application uses the same.
    """

    root: str
    digest: str
    counts: dict[str, int]
    change_count: int
    changes: tuple[RootChange, ...] = ()
    drifted: int = 0
    lock: str = ""


class StagePlanRecord(Record):
    """Terraform's plans of all roots of one stage: what a person approves.

    :param digest: over the roots' digests, in the order of their application.
    """

    schema_version: Literal["heavylift/infra-plan/v1"] = "heavylift/infra-plan/v1"
    run: RunKey
    stage: StageName
    destroy: bool
    planned_at: datetime = Field(default_factory=utc_now)
    files_digest: str
    plan_digest: str
    digest: str
    roots: tuple[RootPlan, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing would be done."""
        return not any(each.change_count for each in self.roots)


class ApplicationRecord(Record):
    """What the application of one root came to.

    :param counts: changes by act; empty where there was nothing to do.
    :param kept: resources in the state afterwards.
    :param proved: a second plan found nothing left to do.
    """

    schema_version: Literal["heavylift/infra-application/v1"] = "heavylift/infra-application/v1"
    run: RunKey
    stage: StageName
    root: str
    destroy: bool
    ended_at: datetime = Field(default_factory=utc_now)
    files_digest: str
    digest: str
    counts: dict[str, int]
    kept: int
    proved: bool


class DriftRecord(Record):
    """What differs between files, state and platform.

    :param roots: those that were applied; each plan's changes are what would mend it.
    """

    schema_version: Literal["heavylift/infra-drift/v1"] = "heavylift/infra-drift/v1"
    run: RunKey
    seen_at: datetime = Field(default_factory=utc_now)
    files_digest: str
    roots: tuple[RootPlan, ...]

    @property
    def found(self) -> int:
        """How many resources differ."""
        return sum(max(each.change_count, each.drifted) for each in self.roots)


def infra_path(run: RunKey, kind: str, number: int) -> str:
    """Return the path of a run's ``number``-th record of a kind, from 1.

    :param kind: ``generation``, ``scan``, ``plan-first``, ``plan-second``, ``applied-<root>``, ``drift``.
    """
    return f"{run.folder}/{INFRA_FOLDER}/{kind}-{number}.json"


def bundle_path(run: RunKey, digest: str) -> str:
    """Return the path of the text of all files with one digest."""
    return f"{run.folder}/{INFRA_FOLDER}/files-{digest}.json"
