"""What a platform allows in a region, as it tells itself, and which of it a workload takes.

A record lies under ``<run>/~quotas/<connection>/<region>/``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.assess_input import QuotaLimit, QuotaRule
from heavylift.evidence.base import Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, Severity, utc_now

QUOTAS_FOLDER = "~quotas"


def quotas_path(run: RunKey, connection: str, region: str, number: int) -> str:
    """Return the path of the ``number``-th record of a connection and region in a run, from 1."""
    place = f"{safe_segment(connection)}/{safe_segment(region)}"
    return f"{run.folder}/{QUOTAS_FOLDER}/{place}/quotas-{number}.json"


class QuotaFinding(Record):
    """Why a quota is not known."""

    rule: Literal["permission_missing", "no_answer", "not_supported", "not_found"]
    severity: Severity
    subject: str
    detail: str
    remedy: str
    permission: str = ""


class QuotaRecord(Record):
    """The quotas of one region that machines with accelerators, storage and endpoints take.

    :param limits: what is allowed, and what of it is used; :attr:`rules` tell what takes how much of it.
    :param missing: instance types that the region does not offer to this account.
    :param complete: nothing was refused and nothing left unanswered.
    """

    schema_version: Literal["heavylift/quotas/v1"] = "heavylift/quotas/v1"
    run: RunKey
    platform: str
    region: str
    connection: str
    account: str
    read_at: datetime = Field(default_factory=utc_now)
    limits: tuple[QuotaLimit, ...] = ()
    rules: tuple[QuotaRule, ...] = ()
    missing: tuple[str, ...] = ()
    findings: tuple[QuotaFinding, ...] = ()
    complete: bool
    requests: int
    seconds: float
