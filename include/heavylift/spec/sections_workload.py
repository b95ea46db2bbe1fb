"""The ``workload_tests`` section: how the moved workload is tested, by four kinds of tests."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from heavylift.spec.base import ConnectionId, Count, Name, Number, SpecModel, Text, Url, wrong
from heavylift.spec.quantities import Seconds

DAY = 86_400


class ProbeKind(StrEnum):
    """What a security probe tries, and must not succeed with."""

    UNAUTHENTICATED = "unauthenticated"
    WRONG_CREDENTIAL = "wrong_credential"
    PLAIN_HTTP = "plain_http"
    FOREIGN_OBJECT = "foreign_object"


class FunctionalTest(SpecModel):
    """Golden requests: the target must answer as the source does."""

    source_connection: ConnectionId | None = Field(
        default=None, description="Connection of the source's endpoint, where it is asked now."
    )
    answers: Url | None = Field(
        default=None,
        description="What the source has answered, one JSON document a line, in the order of the requests.",
    )
    absolute_tolerance: Number = Field(
        default=1e-6, ge=0.0, description="How far two numbers may be apart and still be the same."
    )
    relative_tolerance: Number = Field(
        default=1e-4, ge=0.0, description="The same, as a share of the source's."
    )
    max_differing: Count = Field(default=0, ge=0, description="Requests that may be answered differently.")

    @model_validator(mode="after")
    def _one_of_both(self) -> FunctionalTest:
        if (self.source_connection is None) == (self.answers is None):
            raise wrong("contradiction", "either source_connection, or answers")
        return self


class PerformanceTest(SpecModel):
    """Rates: the target must sustain them, and be no slower than the source's baseline."""

    baseline: Text = Field(
        min_length=1,
        description="Path in the evidence store of the source's baseline, as `heavylift baseline` tells it.",
    )
    rates: tuple[Number, ...] = Field(min_length=1, description="Requests a second, rising.")
    step: Seconds = Field(default=10, ge=1, le=3600, description="How long each rate is held.")
    max_ratio: Number = Field(
        default=1.1, gt=0.0, description="How much slower P95 may be, by its interval's upper end."
    )


class SecurityProbe(SpecModel):
    """Something that must be refused."""

    name: Name = Field(description="Unique in this section.")
    kind: ProbeKind = Field(
        description="unauthenticated, wrong_credential, plain_http (of the endpoint), or foreign_object."
    )
    object: Url | None = Field(default=None, description="Of foreign_object: the object that is asked for.")
    connection: ConnectionId | None = Field(
        default=None, description="Of foreign_object: the connection that must be refused."
    )
    owner_connection: ConnectionId | None = Field(
        default=None, description="Of foreign_object: the one that may read it, which shows that it is there."
    )
    address: Text = Field(
        default="",
        description="Of plain_http: the http:// address that must not serve; by default the endpoint's own.",
    )

    @model_validator(mode="after")
    def _fields_belong(self) -> SecurityProbe:
        of_objects = (self.object, self.connection, self.owner_connection)
        if self.kind is ProbeKind.FOREIGN_OBJECT and not all(of_objects):
            raise wrong("contradiction", "object, connection and owner_connection, with foreign_object")
        if self.kind is not ProbeKind.FOREIGN_OBJECT and any(of_objects):
            raise wrong("contradiction", "object and its connections only with foreign_object")
        return self


class ContinuityTest(SpecModel):
    """Losing the target: how long until requests are answered again."""

    connection: ConnectionId = Field(description="Connection by which clients reach the workload.")
    recovered_within: Seconds = Field(
        default=60, ge=1, le=86_400, description="The longest time without a good answer that is accepted."
    )
    drilled_within: Seconds = Field(
        default=90 * DAY, ge=60, le=3 * 365 * DAY, description="How old the last drill may be."
    )


class WorkloadTests(SpecModel):
    """How the moved workload is tested."""

    requests: Url = Field(description="Golden requests, one JSON document a line.")
    requests_connection: ConnectionId | None = Field(
        default=None, description="Connection of that place; by default that of the target."
    )
    connection: ConnectionId = Field(description="Connection of the target's endpoint.")
    path: Text = Field(default="", description="In place of the path of the connection's URL.")
    timeout: Seconds = Field(default=10, ge=1, le=600, description="Longest wait for an answer.")
    within: Seconds = Field(
        default=7 * DAY, ge=60, le=365 * DAY, description="How old a test may be where a gate demands it."
    )
    functional: FunctionalTest | None = Field(default=None, description="Golden requests.")
    performance: PerformanceTest | None = Field(default=None, description="Rates and latency.")
    security: tuple[SecurityProbe, ...] = Field(default=(), description="What must be refused.")
    continuity: ContinuityTest | None = Field(default=None, description="Losing the target.")
