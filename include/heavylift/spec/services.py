"""Which transfer service moves a dataset, and what it needs to be told."""

from __future__ import annotations

from pydantic import Field

from heavylift.spec.base import ConnectionId, SpecModel, Text, Url
from heavylift.spec.quantities import Seconds


class ServiceOptions(SpecModel):
    """Settings of the transfer service that moves one dataset; credentials lie in connections."""

    connection: ConnectionId | None = Field(
        default=None,
        description="Connection to the service itself; by default that of the dataset's Google or AWS side.",
    )
    project: Text | None = Field(
        default=None, description="Google project that owns the transfer job; by default the connection's."
    )
    source_role: Text | None = Field(
        default=None,
        description="ARN of the IAM role that the service assumes to read the S3 source.",
    )
    target_role: Text | None = Field(
        default=None, description="ARN of the IAM role that the service assumes to write the S3 target."
    )
    manifest: Url | None = Field(
        default=None,
        description="Where the list of keys for the service is put; by default beside the dataset's place.",
    )
    poll: Seconds = Field(default=60, ge=1, le=3600, description="Wait between two looks at the service.")
    timeout: Seconds = Field(
        default=604_800, ge=60, le=7_776_000, description="Longest wait for the service to finish."
    )
