"""Resources of the JSON API and the port's types."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.checksums import Algorithm, digest, hex_to_base64
from heavylift.platforms.gcp.resources import (
    listed_object,
    multipart_body,
    object_head,
    resource_of,
)
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.tags import decode_tags, encode_tags

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
FILLED = st.one_of(st.none(), TEXT.filter(bool))
BARE = {"name": "k", "size": "0", "generation": "1", "updated": "2026-11-22T18:49:40.094404Z"}


@given(
    headers=st.tuples(FILLED, FILLED, FILLED, FILLED, FILLED),
    metadata=st.dictionaries(TEXT.filter(lambda name: name != "heavylift-tags"), TEXT, max_size=4),
    tags=st.dictionaries(TEXT, TEXT, max_size=4),
)
def test_attributes_and_tags_come_back(
    headers: tuple[str | None, ...], metadata: dict[str, str], tags: dict[str, str]
) -> None:
    attributes = ObjectAttributes(*headers, metadata=metadata, tags=tags)
    resource = json.loads(json.dumps(resource_of(attributes)))
    head = object_head({**BARE, **resource})
    assert head.attributes == attributes
    assert head.tag_count == len(tags)


def test_holds_and_retention_are_told_once_each() -> None:
    until = "2100-01-01T00:00:00Z"
    held = {"temporaryHold": True, "eventBasedHold": True, "retentionExpirationTime": until}
    head = object_head({**BARE, **held, "retention": {"mode": "Locked", "retainUntilTime": until}})
    assert head.held_by == ("a temporary hold", "an event-based hold", "a retention period")
    assert object_head({**BARE, "temporaryHold": False}).held_by == ()


@pytest.mark.parametrize("value", ["", "b=1&a=2", "a", "a=1&a=2", "a=%zz", "a=b c", "free text"])
def test_a_value_that_is_not_ours_stays_metadata(value: str) -> None:
    head = object_head({**BARE, "metadata": {"heavylift-tags": value}})
    assert head.attributes.metadata == {"heavylift-tags": value}
    assert head.attributes.tags == {}


@given(st.dictionaries(TEXT, TEXT, max_size=5))
def test_tags_survive_as_ascii_text(tags: dict[str, str]) -> None:
    assert encode_tags(tags).isascii()
    assert decode_tags(encode_tags(tags)) == tags


def test_a_row_tells_all_that_the_resource_does() -> None:
    sums = digest(b"x", Algorithm.CRC32C, Algorithm.MD5)
    row = listed_object(
        {
            **BARE,
            "name": "a//b",
            "size": "7",
            "generation": "12",
            "crc32c": hex_to_base64(sums[Algorithm.CRC32C]),
            "md5Hash": hex_to_base64(sums[Algorithm.MD5]),
            "storageClass": "NEARLINE",
        }
    )
    assert (row.key, row.size_bytes, row.version, row.storage_class) == ("a//b", 7, "12", "NEARLINE")
    assert row.modified_us == 1_795_373_380_094_404
    assert row.checksums == sums
    assert listed_object(BARE).checksums == {}


@pytest.mark.parametrize(
    ("text", "micros"), [("1970-01-01T00:00:01Z", 1_000_000), ("1970-01-01T00:00:00.5Z", 500_000)]
)
def test_times_with_any_number_of_digits_are_read(text: str, micros: int) -> None:
    assert listed_object({**BARE, "updated": text}).modified_us == micros


def test_a_multipart_body_holds_the_bytes_untouched() -> None:
    body = b"\r\n--not-the-boundary\r\n\x00\xff"
    made = multipart_body({"name": "é", "contentType": "a/b; c=d"}, body, "mark")
    message = message_from_bytes(
        b"Content-Type: multipart/related; boundary=mark\r\n\r\n" + made, policy=policy.HTTP
    )
    resource, media = message.iter_parts()
    assert json.loads(resource.get_content()) == {"name": "é", "contentType": "a/b; c=d"}
    assert media.get_content_type() == "a/b"
    assert b"\r\nContent-Type: a/b; c=d\r\n\r\n" in made
    assert b"\r\n\r\n" + body + b"\r\n--mark--\r\n" in made
