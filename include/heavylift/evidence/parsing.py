"""From the bytes of a piece of evidence to a document or record, or an error that says why not."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from heavylift.errors import AuditError

RecordT = TypeVar("RecordT", bound=BaseModel)


def parse_json(path: str, data: bytes) -> dict[str, Any]:
    """Return ``data`` as the JSON object that evidence at ``path`` must be.

    :raises AuditError: it is none.
    """
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    raise _unreadable(path, f"{len(data)} bytes that are no JSON object", "a JSON object")


def parse_record(path: str, data: bytes, model: type[RecordT]) -> RecordT:
    """Return ``data`` as the record that evidence at ``path`` must be.

    :raises AuditError: it is no ``model``; the message names the fields, never their values.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        fields = sorted({".".join(map(str, item["loc"])) or "the document" for item in error.errors()})
        raise _unreadable(
            path, f"wrong or missing: {', '.join(fields[:5])}", f"a {model.__name__}"
        ) from error


def _unreadable(path: str, got: str, expected: str) -> AuditError:
    return AuditError(
        f"reading evidence {path}",
        got=got,
        expected=expected,
        state="the file was damaged, changed, or written by a newer Heavylift; nothing was done with it",
        remedy="run 'heavylift audit verify', and restore the file or run the phase again",
        code="4012",
    )
