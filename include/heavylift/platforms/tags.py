"""Object tags as one line of text, for stores that cannot hold them as tags."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

KEPT_OTHERWISE = ": kept as "
"""In an adapter's word on an attribute: nothing is lost, it only has another form on the target."""


def encode_tags(tags: Mapping[str, str]) -> str:
    """Return tags form-encoded and in order of name: ``a=1&b=2``; ASCII only."""
    return urlencode(sorted(tags.items()))


def decode_tags(value: str) -> dict[str, str]:
    """Return the tags of a text; none unless it is exactly what ``encode_tags`` writes."""
    tags = dict(parse_qsl(value, keep_blank_values=True))
    return tags if encode_tags(tags) == value else {}
