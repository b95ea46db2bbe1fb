"""Header fields as they come over the line."""

from __future__ import annotations

import pytest

from heavylift.platforms.http_message import Headers


@pytest.mark.parametrize(
    ("sent", "value"),
    [(b"plain", "plain"), ("größe".encode(), "größe"), ("größe".encode("latin-1"), "größe"), (b"\xff", "ÿ")],
)
def test_a_value_is_text_that_every_store_can_take(sent: bytes, value: str) -> None:
    """UTF-8 where it is that, else Latin-1, as HTTP has it: never halves of surrogate pairs."""
    headers = Headers()
    headers.add_raw(b"X-Ms-Meta-A", sent)
    headers.add_raw(b"x-ms-meta-a", sent)
    assert headers["x-ms-meta-a"] == f"{value}, {value}"
    headers["x-ms-meta-a"].encode()
