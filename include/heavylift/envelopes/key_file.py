"""The key file beside each sealed object: its data key, wrapped, and what the object is.

``name.sealed`` begins with a header; the header's digest names the key file, ``name.<16 hex>.sealed-key``.
So a sealed object is replaced in one act: its new key file lies there before it, and the old one after.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from heavylift.envelopes.stream import HEADER, DataKey, is_header
from heavylift.errors import IntegrityError
from heavylift.platforms.keys import Wrapped

FORMAT: Literal["heavylift-envelope/v1"] = "heavylift-envelope/v1"
SEALED = ".sealed"
MOST_BYTES = 64 * 2**10
_KEY_FILE = re.compile(r"(?P<name>.+)\.(?P<id>[0-9a-f]{16})\.sealed-key", re.DOTALL)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WrappedKey(_Part):
    """A data key as the key file has it; ``data`` in base64."""

    kind: str
    key: str
    data: str


class BegunUpload(_Part):
    """The upload that the object was sent by: a killed sealing is taken up where it was."""

    upload_id: str
    part_bytes: int = Field(ge=1)


class KeyFile(_Part):
    """What a key file says.

    :param header: of the sealed object, in base64.
    """

    format: Literal["heavylift-envelope/v1"] = FORMAT
    cipher: Literal["AES256_GCM_HKDF_1MB"] = "AES256_GCM_HKDF_1MB"
    name: str
    size_bytes: int = Field(ge=0)
    source_version: str
    header: str
    wrapped: WrappedKey
    upload: BegunUpload | None = None

    @property
    def header_bytes(self) -> bytes:
        """The header itself."""
        return base64.b64decode(self.header)

    @property
    def id(self) -> str:
        """What the key file is named by."""
        return id_of(self.header_bytes)

    @property
    def facts(self) -> tuple[str, int, str]:
        """Name, size and version: what was sealed."""
        return self.name, self.size_bytes, self.source_version

    @property
    def associated(self) -> bytes:
        """What the cipher binds beside the bytes."""
        return associated_data(*self.facts)

    @property
    def context(self) -> str:
        """What services of keys bind the wrapped key to: a digest, for they log it."""
        return hashlib.sha256(self.associated).hexdigest()

    def wrapped_key(self) -> Wrapped:
        """Return the wrapped key as a wrapping key takes it."""
        return Wrapped(self.wrapped.kind, self.wrapped.key, base64.b64decode(self.wrapped.data))

    def with_key(self, wrapped: Wrapped) -> KeyFile:
        """Return the same with its data key wrapped by another key."""
        return self.model_copy(update={"wrapped": shown(wrapped)})

    def data_key(self, key: bytes) -> DataKey:
        """Return what a cipher takes."""
        return DataKey(key, self.header_bytes, self.associated)

    def dump(self) -> bytes:
        """Return the bytes of the file."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode()


def associated_data(name: str, size_bytes: int, source_version: str) -> bytes:
    """Return what the cipher binds beside the bytes."""
    facts = {"format": FORMAT, "name": name, "size_bytes": size_bytes, "source_version": source_version}
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


def shown(wrapped: Wrapped) -> WrappedKey:
    """Return a wrapped key as the key file has it."""
    return WrappedKey(kind=wrapped.kind, key=wrapped.key, data=base64.b64encode(wrapped.data).decode())


def id_of(header: bytes) -> str:
    """Return what names the key file of a sealed object with this header."""
    return hashlib.sha256(header).hexdigest()[:16]


def sealed_name(name: str) -> str:
    """Return the name of the sealed object of ``name``."""
    return name + SEALED


def key_file_name(name: str, key_id: str) -> str:
    """Return the name of a key file."""
    return f"{name}.{key_id}.sealed-key"


def split_key_file(name: str) -> tuple[str, str] | None:
    """Return the object and the id that a key file's name tells, or None where it is none."""
    match = _KEY_FILE.fullmatch(name)
    return (match["name"], match["id"]) if match else None


def parse_key_file(url: str, name: str, key_id: str, data: bytes) -> KeyFile:
    """Return what a key file says.

    :raises IntegrityError: it is no key file of this form, or one of another object.
    """
    try:
        found = KeyFile.model_validate_json(data)
        base64.b64decode(found.wrapped.data, validate=True)
        header = base64.b64decode(found.header, validate=True)
        wrong = "" if is_header(header) else "a header of another form"
    except (ValidationError, binascii.Error) as error:
        wrong = f"a file that is no key file ({type(error).__name__})"
    if not wrong and (found.name, found.id) != (name, key_id):
        wrong = f"the key file of {found.name!r} ({found.id})"
    if wrong:
        raise IntegrityError(
            f"reading {url}",
            got=wrong,
            expected=f"the key file of {name!r} in the form {FORMAT}, with a header of {HEADER} bytes",
            state="nothing was opened and nothing changed",
            remedy="put back the key file from a version or a copy of the bucket; without it nobody opens"
            " the object",
            code="9350",
        )
    return found
