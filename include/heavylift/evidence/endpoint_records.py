"""The records of endpoints on the target: what is planned, what was made, what serves, what was removed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import RunKey, utc_now

ENDPOINTS_FOLDER = "~endpoints"

EndpointAct = Literal["plan", "apply", "verify", "plan-removal", "remove"]
ThingState = Literal["absent", "ready", "under_way", "failed", "foreign", "different", "stale", "kept"]
"""``stale``: there, and about to be changed in place (the traffic). ``kept``: not ours, and not touched."""


class ThingRow(Record):
    """One thing that an endpoint consists of: model, environment, endpoint, deployment, traffic, and alike.

    :param before: how it was found; ``after`` how it was left.
    :param begun: this run has had it made, changed or removed.
    :param differs: the fields that are not as the spec says.
    """

    endpoint: str
    kind: str
    name: str
    before: ThingState
    after: ThingState
    begun: bool = False
    differs: tuple[str, ...] = ()


class EndpointGap(Record):
    """Something that is not carried over.

    :param accepted: why that is all right; empty where nobody said.
    """

    subject: str
    what: str
    remedy: str
    accepted: str = ""


class SmokeRow(Record):
    """One golden row; what was sent and answered is not kept."""

    endpoint: str
    passed: bool
    milliseconds: float = 0.0
    reason: str = ""


class EndpointsRecord(Record):
    """One act on the endpoints of a migration.

    :param digest: over what is wanted and what stays behind, not over what was found: a second try of an
        application that was killed is of the same digest.
    :param pending: things that a plan would make, change or remove.
    """

    schema_version: Literal["heavylift/endpoints/v1"] = "heavylift/endpoints/v1"
    run: RunKey
    act: EndpointAct
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    targets: dict[str, str]
    digest: str
    rows: tuple[ThingRow, ...]
    gaps: tuple[EndpointGap, ...] = ()
    unused: tuple[str, ...] = ()
    smoke: tuple[SmokeRow, ...] = ()
    problems: tuple[str, ...] = ()
    passed: bool

    @property
    def pending(self) -> int:
        """Things that are not yet as they shall be."""
        done = {"absent", "kept"} if self.act in {"plan-removal", "remove"} else {"ready"}
        return sum(each.after not in done for each in self.rows)

    @property
    def open_gaps(self) -> int:
        """What stays behind and nobody accepts."""
        return sum(not each.accepted for each in self.gaps)

    @property
    def counts(self) -> dict[str, int]:
        """The figures by name."""
        return {
            "things": len(self.rows),
            "begun": sum(each.begun for each in self.rows),
            "pending": self.pending,
            "untranslated": len(self.gaps),
            "open_untranslated": self.open_gaps,
            "answers": sum(each.passed for each in self.smoke),
        }


def endpoints_path(run: RunKey, act: str, number: int) -> str:
    """Return the path of a run's ``number``-th record of an act, from 1."""
    return f"{run.folder}/{ENDPOINTS_FOLDER}/{act}-{number}.json"
