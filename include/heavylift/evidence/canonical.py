"""One byte sequence for one document, so that a SHA-256 fixes its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def canonical_json(document: BaseModel | Mapping[str, Any]) -> bytes:
    """Return ``document`` as JSON with sorted keys, no blanks, ASCII only.

    ASCII, because object keys that are no valid Unicode must survive too.

    :raises ValueError: NaN or infinity, or something that JSON cannot carry.
    """
    plain = to_jsonable_python(document, inf_nan_mode="constants")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as lower-case hex."""
    return hashlib.sha256(data).hexdigest()
