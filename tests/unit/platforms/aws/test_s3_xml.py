"""S3's XML: the quick reader agrees with the strict one, and entities go nowhere."""

from __future__ import annotations

import gc
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.platforms.aws import xml
from heavylift.platforms.aws.xml import MalformedXmlError, completion, parse, parse_list, read_tags

ROOT = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
TAIL = (
    "<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken></ListBucketResult>"
)
AWS_ROW = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-22T18:00:00.000Z</LastModified>"
    "<ETag>&quot;e1&quot;</ETag><ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>"
    "<ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
SEAWEED_ROW = (
    "<Contents><Key>{key}</Key><ETag>&#34;e1&#34;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass>"
    "<Owner><ID>me</ID><DisplayName/></Owner><LastModified>2026-11-22T18:00:00.000Z</LastModified></Contents>"
)
ROW = ("key", "2026-11-22T18:00:00.000Z", "e1", "5", "STANDARD")


def page(*rows: str, head: str = "<EncodingType>url</EncodingType><Prefix>p</Prefix>") -> bytes:
    return f"{ROOT}{head}{''.join(rows)}{TAIL}".encode()


@pytest.mark.parametrize("row", [AWS_ROW, SEAWEED_ROW])
def test_rows_of_every_order_are_read(row: str) -> None:
    got = parse_list(page(row.format(key="key"), row.format(key="b")))
    assert got.rows == [ROW, ("b", *ROW[1:])]
    assert (got.next_token, got.truncated, got.encoding, got.prefix) == ("t&1", True, "url", "p")


def test_the_quick_reader_takes_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_body: bytes) -> xml.ListPage:
        raise AssertionError("the strict reader was asked")

    monkeypatch.setattr(xml, "_parse_list_strictly", fail)
    bare = AWS_ROW.replace("<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>", "")
    for row in (AWS_ROW, SEAWEED_ROW):
        assert len(parse_list(page(row.format(key="a"), row.format(key="b"))).rows) == 2
    assert len(parse_list(page(bare.format(key="a"), AWS_ROW.format(key="b"))).rows) == 2


@pytest.mark.parametrize(
    "odd",
    [
        AWS_ROW.replace("<Size>", "\n  <Size>"),
        AWS_ROW.replace("<Key>{key}</Key>", "<Key><![CDATA[{key}]]></Key>"),
        AWS_ROW.replace("<Size>5</Size>", "<Surprise><Deep>1</Deep></Surprise><Size>5</Size>"),
        AWS_ROW.replace("<Contents>", '<Contents a="1">'),
        AWS_ROW.replace("<Size>5</Size>", "<!-- x --><Size>5</Size>"),
    ],
)
def test_rows_of_any_other_form_are_read_too(odd: str) -> None:
    for rows in ([odd, AWS_ROW], [AWS_ROW, odd], [odd, odd], [AWS_ROW, "\n ", AWS_ROW]):
        got = parse_list(page(*(row.format(key="key") for row in rows)))
        assert got.rows == [ROW, ROW]
        assert got.next_token == "t&1"


@pytest.mark.parametrize(
    "body",
    [
        page(AWS_ROW.format(key="a"), "text between", AWS_ROW.format(key="b")),
        page(AWS_ROW.format(key="a"), AWS_ROW.format(key="b").replace("<ETag>&quot;e1&quot;", "<ETag>e2")),
        page(AWS_ROW.format(key="a"), AWS_ROW.format(key="b").replace("e1", "e&amp;1")),
        page(
            AWS_ROW.format(key="a"),
            AWS_ROW.format(key="b"),
            head="<Deep>" + AWS_ROW.format(key="c") + "</Deep>",
        ),
        page(AWS_ROW.format(key="a"), head='<Contents x="1"><Key>z</Key></Contents>'),
        page("<Deep>", AWS_ROW.format(key="a"), "</Deep>"),
        page("<!--", AWS_ROW.format(key="a"), "-->"),
        page(AWS_ROW.format(key="a").replace("<StorageClass>STANDARD</StorageClass>", "")),
        page(AWS_ROW.format(key="a"), AWS_ROW.format(key="b").replace("<Size>5</Size>", "")),
        page(AWS_ROW.format(key="a").replace("<StorageClass>STANDARD</StorageClass>", "<StorageClass/>")),
        page(AWS_ROW.format(key="a").replace("&quot;", '"'), AWS_ROW.format(key="b").replace("&quot;", "")),
        page(AWS_ROW.format(key="a").replace("&quot;", "")),
    ],
)
def test_whatever_a_page_is_like_both_readers_agree(body: bytes) -> None:
    assert parse_list(body) == xml._parse_list_strictly(body)


def test_bytes_that_are_no_utf8_are_left_to_what_the_page_declares() -> None:
    text = page(AWS_ROW.format(key="caf\u00e9")).decode().replace("UTF-8", "ISO-8859-1")
    assert parse_list(text.encode("latin-1")).keys == ["caf\u00e9"]


def test_rows_with_other_elements_between_them_keep_what_surrounds_them() -> None:
    between = "<CommonPrefixes><Prefix>x/</Prefix></CommonPrefixes><EncodingType>url</EncodingType>"
    got = parse_list(page(AWS_ROW.format(key="a"), between, AWS_ROW.format(key="b"), head=""))
    assert [row[0] for row in got.rows] == ["a", "b"]
    assert got.encoding == "url"


def test_a_long_listing_leaves_nothing_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            parse_list(page(AWS_ROW.format(key="a")))
        with pytest.raises(MalformedXmlError):
            parse(b"<")
        assert not [item for item in gc.get_objects() if isinstance(item, xml._Reader)]
    finally:
        gc.enable()


def test_an_empty_listing() -> None:
    assert parse_list(page()).rows == []


names = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]), min_size=1, max_size=12)


@given(st.lists(names, min_size=1, max_size=5))
def test_keys_that_are_not_url_encoded_are_read_exactly(keys: list[str]) -> None:
    rows = [AWS_ROW.format(key="{}").format(escape(key)) for key in keys]
    assert [row[0] for row in parse_list(page(*rows)).rows] == keys


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a&amp;quot;b", "a&quot;b"),
        ("&#233;&#xe9;", "éé"),
        ("&lt;&gt;&apos;&quot;&#34;", '<>\'""'),
        ("&#43;", "+"),
    ],
)
def test_references_are_read(text: str, key: str) -> None:
    assert parse_list(page(AWS_ROW.format(key=text))).rows[0][0] == key


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>"
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        BOMB.encode("utf-16"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ListBucketResult/>',
        b"<html><body>Sign in</body></html>",
        b"<ListBucketResult><Contents>",
        b"not xml",
        b"",
        page(AWS_ROW.format(key="&undefined;")),
    ],
)
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedXmlError):
        parse_list(body)


def test_elements_are_found_by_their_local_name() -> None:
    root = parse(b'<s3:Error xmlns:s3="x"><s3:Code>NoSuchKey</s3:Code><s3:Code>second</s3:Code></s3:Error>')
    assert root.name == "Error"
    assert root.get("Code") == "NoSuchKey"
    assert root.get("Message", "none") == "none"
    assert [child.text for child in root.all("Code")] == ["NoSuchKey", "second"]


def test_completion_escapes_and_keeps_order() -> None:
    root = parse(completion([(1, 'e"&<1', "AAAAAA=="), (2, "e2", "")]))
    assert [(p.get("PartNumber"), p.get("ETag"), p.get("ChecksumCRC32C", "-")) for p in root.all("Part")] == [
        ("1", '"e"&<1"', "AAAAAA=="),
        ("2", '"e2"', "-"),
    ]


def test_tags_are_read() -> None:
    rows = b"<Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag><Tag><Key>b</Key><Value/></Tag>"
    assert read_tags(b"<Tagging><TagSet>" + rows + b"</TagSet></Tagging>") == {"a": "1 & 2", "b": ""}
    assert read_tags(b"<Tagging><TagSet/></Tagging>") == {}
