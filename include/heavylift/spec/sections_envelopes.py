"""The ``envelopes`` section: objects that are encrypted by Heavylift before they are sent."""

from __future__ import annotations

from pydantic import Field

from heavylift.spec.base import ConnectionId, Flag, Name, SpecModel, Text
from heavylift.spec.datasets import KIB, TIB
from heavylift.spec.quantities import BytesPerSecond
from heavylift.spec.sections_datasets import PlaceField


class EnvelopeKey(SpecModel):
    """The key that wraps the keys of objects."""

    connection: ConnectionId = Field(
        description="Connection of AWS KMS (aws), Cloud KMS (google_cloud_platform) or a Key Vault (azure);"
        " or of type envelope_key, whose password is the key: 32 random bytes in base64."
    )
    name: Text | None = Field(
        default=None,
        min_length=1,
        description="The key's name in its service: ARN, alias, projects/…/cryptoKeys/…, name in the vault.",
    )


class Envelope(SpecModel):
    """Objects below one URL that are sealed, each with a key of its own, and verified by opening them."""

    name: Name = Field(description="Unique in this file; appears in tasks and evidence.")
    description: Text = Field(default="", description="For people.")
    source: PlaceField = Field(description="Where the objects are: a URL, or url and connection.")
    target: PlaceField = Field(description="Where they go, sealed: a URL, or url and connection.")
    key: EnvelopeKey = Field(description="The key that wraps the keys of objects.")
    replace: Flag = Field(
        default=False, description="Seal again what has changed on the source since it was sealed."
    )
    max_bandwidth: BytesPerSecond | None = Field(
        default=None, ge=KIB, le=TIB, description="Most bytes a second that are read."
    )
