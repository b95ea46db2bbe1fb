"""Blob Storage's rules for names and attributes, and attributes as headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from heavylift.checksums import Algorithm, digest, hex_to_base64
from heavylift.platforms.azure.headers import attribute_problems, head_of, headers_of
from heavylift.platforms.azure.rules import key_problem, tags_fit
from heavylift.platforms.ports import ObjectAttributes

BARE = {"ETag": '"0x8D"', "Last-Modified": "Sun, 22 Nov 2026 18:49:40 GMT", "Content-Length": "5"}
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "k" * 1025,
        "😀" * 513,
        "back\\slash",
        "tab\t",
        "\x7f",
        "\x85",
        "\ue000",
        "\uffff",
        "\udcff",
        ".",
        "..",
        "./a",
        "a/../b",
        "a.",
        "a./b",
        "a/...",
        "/".join("s" * 255),
    ],
)
def test_names_against_the_rules_are_named(key: str) -> None:
    assert key_problem(key)


@pytest.mark.parametrize(
    "key", ["k" * 1024, "é" * 1024, "a//b", "/a", "a/", ".a", "a/.b", "a b ", "#?%+&", "/".join("s" * 254)]
)
def test_all_other_names_are_fine(key: str) -> None:
    assert key_problem(key) is None


@given(
    metadata=st.dictionaries(TEXT.filter(lambda n: n not in {"", "heavylift-tags"}), TEXT, max_size=4),
    tags=st.dictionaries(TEXT, TEXT, max_size=4).filter(lambda tags: not tags_fit(tags)),
)
def test_metadata_and_odd_tags_come_back_unless_named(metadata: dict[str, str], tags: dict[str, str]) -> None:
    attributes = ObjectAttributes(metadata=metadata, tags=tags)
    problems = attribute_problems(attributes)
    sent = CIMultiDict(headers_of(attributes))
    head = head_of("k", CIMultiDict({**BARE, **sent}))
    assert head.attributes.tags == tags
    assert head.tag_count == len(tags)
    lost = {name for name in metadata if name not in head.attributes.metadata}
    assert all(any(repr(name) in problem for problem in problems) for name in lost)
    assert head.attributes.metadata == {n: v for n, v in metadata.items() if n not in lost}


def test_a_hold_and_a_retention_period_are_told() -> None:
    until = "Fri, 01 Jan 2100 00:00:00 GMT"
    told = {"x-ms-legal-hold": "true", "x-ms-immutability-policy-until-date": until}
    assert head_of("k", CIMultiDict({**BARE, **told})).held_by == ("a legal hold", "a retention period")
    assert head_of("k", CIMultiDict({**BARE, "x-ms-legal-hold": "false"})).held_by == ()


def test_names_that_differ_in_case_only_are_named() -> None:
    attributes = ObjectAttributes(metadata={"Key": "1", "key": "2", "": "3"})
    assert len(attribute_problems(attributes)) == 2
    assert [name for name in headers_of(attributes) if name.startswith("x-ms-meta-")] == ["x-ms-meta-Key"]


def test_metadata_over_the_limit_is_named() -> None:
    assert attribute_problems(ObjectAttributes(metadata={"k": "v" * 8_191})) == []
    assert attribute_problems(ObjectAttributes(metadata={"k": "v" * 8_192}))


def test_a_header_that_http_cannot_carry_is_named_and_left_out() -> None:
    attributes = ObjectAttributes(content_type="a/b", content_disposition='attachment; filename="é"')
    assert "content_disposition" in attribute_problems(attributes)[0]
    assert headers_of(attributes) == {"x-ms-blob-content-type": "a/b"}


@pytest.mark.parametrize(
    ("tags", "fit"),
    [
        ({"team": "fraud scoring", "c": "a+b-c/d:e=f_g."}, True),
        ({"empty": ""}, True),
        ({str(n): "x" for n in range(10)}, True),
        ({str(n): "x" for n in range(11)}, False),
        ({"": "x"}, False),
        ({"k" * 129: "x"}, False),
        ({"k": "v" * 257}, False),
        ({"a@b": "x"}, False),
        ({"k": "ö"}, False),
    ],
)
def test_what_may_be_a_blob_index_tag(tags: dict[str, str], fit: bool) -> None:
    assert tags_fit(tags) is fit
    assert bool(attribute_problems(ObjectAttributes(tags=tags))) is not fit
    assert ("x-ms-tags" in headers_of(ObjectAttributes(tags=tags))) is fit


def test_the_head_of_a_range_tells_the_whole() -> None:
    md5 = hex_to_base64(digest(b"whole", Algorithm.MD5)[Algorithm.MD5])
    ranged = {
        **BARE,
        "Content-Length": "2",
        "Content-Range": "bytes 1-2/5",
        "Content-MD5": "AAAA",
        "x-ms-blob-content-md5": md5,
        "x-ms-tag-count": "3",
        "x-ms-access-tier": "Cool",
    }
    head = head_of("k", CIMultiDict(ranged))
    assert head.object.size_bytes == 5
    assert head.object.version == "0x8D"
    assert head.object.modified_us == 1_795_373_380_000_000
    assert head.object.checksums == digest(b"whole", Algorithm.MD5)
    assert head.object.storage_class == "Cool"
    assert head.tag_count == 3
