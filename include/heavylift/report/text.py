"""Text for reports: whatever a key or message holds, it is shown and never acts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup

# Control characters, line and paragraph separators, bidirectional overrides, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(value: object) -> object:
    """Return text with characters that cannot be seen written out; other values as they are."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def when(time: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
