"""Answers to ListObjectsV2 of which only what stands around the rows is read: nothing may be missed by it."""

from __future__ import annotations

import pytest

from heavylift.platforms.aws import list_answers
from heavylift.platforms.aws.list_answers import open_answer
from heavylift.platforms.aws.xml import MalformedXmlError, parse_list

ROW = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;0&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
AB = ROW.format(key="a") + ROW.format(key="b")


def answer(
    rows: str = AB,
    *,
    head: str = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>",
    declared: str = '<?xml version="1.0" encoding="UTF-8"?>',
    tail: str = "",
) -> bytes:
    return f"{declared}<ListBucketResult>{head}{rows}{tail}</ListBucketResult>".encode()


def digest_of(body: bytes) -> str | None:
    tell = open_answer(body).digest
    return tell() if tell else None


def test_what_a_server_says_anew_each_time_is_not_in_the_digest() -> None:
    first = "<Name>x</Name><IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"
    one, other = (open_answer(answer(head=first.format(token))) for token in ("1", "2"))
    assert one.digest is not None
    assert other.digest is not None
    assert one.digest() == other.digest()
    assert (one.next_token, other.next_token, one.truncated) == ("1", "2", True)
    assert digest_of(answer(head=first.format("3"), tail="<X>9</X>")) == one.digest()


@pytest.mark.parametrize(
    "other",
    [
        answer(ROW.format(key="a") + ROW.format(key="c")),
        answer(AB.replace("&quot;0", "&quot;1", 1)),
        answer(AB.replace("2026", "2027", 1)),
        answer(AB.replace("<Size>5", "<Size>6", 1)),
        answer(AB.replace("STANDARD", "GLACIER", 1)),
        answer(AB + ROW.format(key="c")),
        answer(ROW.format(key="a")),
        answer(head="<IsTruncated>false</IsTruncated>"),
        answer(declared='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    ],
)
def test_rows_that_mean_something_else_have_another_digest(other: bytes) -> None:
    assert digest_of(other) not in {None, digest_of(answer())}


@pytest.mark.parametrize(
    "body",
    [
        answer("<!--" + ROW.format(key="x") + "-->" + AB),
        answer(AB + "<!--" + ROW.format(key="x") + "-->"),
        answer("", head="<IsTruncated>false</IsTruncated>"),
        answer(head="<EncodingType>url</EncodingType>"),
        answer(ROW.format(key="a") + "<IsTruncated>true</IsTruncated>" + ROW.format(key="b")),
        answer(
            ROW.format(key="a") + "<NextContinuationToken>t</NextContinuationToken>" + ROW.format(key="b"),
            head="<IsTruncated>true</IsTruncated>",
        ),
        answer(ROW.format(key="a") + "<EncodingType>url</EncodingType>" + ROW.format(key="b")),
        answer("<Deep>" + AB + "</Deep>"),
        answer(declared='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16"),
    ],
)
def test_an_answer_that_is_like_no_other_is_read_at_once_and_whole(body: bytes) -> None:
    found, page = open_answer(body), parse_list(body)
    assert found.digest is None
    assert (found.next_token, found.truncated) == (page.next_token, page.truncated)
    assert (found.empty, found.encoding, found.read()) == (not page.columns, page.encoding, page)
    if not found.empty:
        assert found.last_key() == page.keys[-1]


def test_rows_are_read_once_and_only_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[bytes] = []
    monkeypatch.setattr(
        list_answers, "parse_list", lambda body, root: reads.append(body) or parse_list(body, root)
    )
    found = open_answer(answer(AB + ROW.format(key="c%2B&amp;")))
    assert (found.last_key(), found.plus, reads) == ("c%2B&", False, [])
    assert found.read() is found.read()
    assert (found.read().keys, len(reads)) == (["a", "b", "c%2B&"], 1)
    assert open_answer(answer(ROW.format(key="a+b"))).plus


def test_rows_that_cannot_be_read_are_refused_when_they_are() -> None:
    found = open_answer(answer(AB.replace("<Size>5</Size>", "<Size>5", 1)))
    with pytest.raises(MalformedXmlError):
        found.read()


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<Error><Code>x</Code></Error>", b"<ListBucketResult>"])
def test_what_is_no_listing_is_refused_at_once(body: bytes) -> None:
    with pytest.raises(MalformedXmlError):
        open_answer(body)
