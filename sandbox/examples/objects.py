"""One object to be seeded: its key, its bytes, and what a store keeps beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SeedObject:
    """An object whose bytes are made only when they are sent, so that a scale does not cost memory.

    :param body: makes the bytes; the same bytes each time.
    :param metadata: user metadata, ASCII, as S3 demands.
    :param part_bytes: sent as an S3 multipart upload with parts of this size; 0 sends it whole.
    """

    key: str
    body: Callable[[], bytes]
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    part_bytes: int = 0
