"""The ``decommission`` section: what may be deleted of the source after the migration, and what may not."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from heavylift.spec.base import Flag, Pattern, SpecModel, Text, wrong
from heavylift.spec.quantities import Seconds

DAY = 86_400
_COMPONENT = re.compile(r"(dataset|database|stream)/([a-z0-9-]{1,63}|\*)")


def _check_day(value: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            date.fromisoformat(value)
            return value
    except ValueError:
        pass  # No day of the calendar: told below, as any other text.
    raise wrong("moment", "a day such as 2033-12-31")


def _check_component(value: str) -> str:
    if _COMPONENT.fullmatch(value):
        return value
    names = "dataset/NAME, database/NAME or stream/NAME"
    raise wrong("component", f"{names} of this file; * as the name means all of them")


Day = Annotated[str, AfterValidator(_check_day)]
ComponentRef = Annotated[str, AfterValidator(_check_component)]


class Kept(SpecModel):
    """Something on the source that must not be deleted, until a day or for good."""

    component: ComponentRef = Field(
        description="dataset/NAME, database/NAME or stream/NAME; * means all of them."
    )
    match: tuple[Pattern, ...] = Field(
        default=("**",),
        description="Which keys of the dataset, relative to its URL, schema.table of the database, or topics"
        " of the stream; all of it where left out.",
    )
    retain_until: Day | None = Field(
        default=None, description="The first day on which it may be deleted, such as 2033-12-31."
    )
    legal_hold: Flag = Field(default=False, description="It must never be deleted, whatever the day.")
    reason: Text = Field(min_length=1, description="Which rule or case demands it; in the certificate.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Kept:
        if self.legal_hold == (self.retain_until is not None):
            raise wrong("contradiction", "either retain_until, or legal_hold: true")
        return self


class Decommission(SpecModel):
    """How the source is given up once nobody needs it any more."""

    owner: Text = Field(min_length=1, description="Who answers for the data on the source.")
    grace: Seconds = Field(
        default=14 * DAY,
        ge=1,
        le=365 * DAY,
        description="How long the source lies unusable, and can be brought back, before it is deleted.",
    )
    verified_within: Seconds = Field(
        default=30 * DAY,
        ge=60,
        le=365 * DAY,
        description="How old the last proof may be that the target has a dataset.",
    )
    keep: tuple[Kept, ...] = Field(default=(), description="What must not be deleted.")
    shut_objects: Flag = Field(
        default=True,
        description="Whether objects are made unreachable for the time of grace, where their store can.",
    )
    older_versions: Flag = Field(
        default=False,
        description="Whether versions of objects that were never copied are deleted with the newest one;"
        " objects that have such stay where false.",
    )
    ignore_roles: tuple[Text, ...] = Field(
        default=(),
        description="Roles whose sessions at a source database are no use of it, such as monitoring.",
    )
    two_people: Flag = Field(
        default=False, description="Whether the deletion must be approved by another person than the plan."
    )
