"""Pages of List Blobs: what is read of them, and what is no such page."""

from __future__ import annotations

import pytest

from heavylift.platforms.azure.list_answers import read_page

HEAD = '<?xml version="1.0" encoding="utf-8"?>'
LIST = '<EnumerationResults ServiceEndpoint="https://x" ContainerName="c">{}</EnumerationResults>'
BLOB = (
    "<Blob>{name}<Properties><Last-Modified>Sun, 29 Nov 2026 21:00:00 GMT</Last-Modified><Etag>0x1</Etag>"
    "<Content-Length>3</Content-Length><Content-Type>Name</Content-Type><Content-MD5>{md5}</Content-MD5>"
    "<AccessTier>Hot</AccessTier></Properties>{more}</Blob>"
)


def page(*blobs: str, marker: str = "<NextMarker/>", before: str = "") -> bytes:
    return (HEAD + before + LIST.format(f"<Blobs>{''.join(blobs)}</Blobs>{marker}")).encode()


def blob(name: str, md5: str = "", more: str = "") -> str:
    return BLOB.format(name=name, md5=md5, more=more)


def test_blobs_and_the_marker_are_read() -> None:
    found = read_page(page(blob("<Name>a</Name>", "md5"), marker="<NextMarker>2!x&amp;y</NextMarker>"))
    assert found.next_marker == "2!x&y"
    assert found.blobs == [
        {
            "Name": "a",
            "Last-Modified": "Sun, 29 Nov 2026 21:00:00 GMT",
            "Etag": "0x1",
            "Content-Length": "3",
            "Content-MD5": "md5",
            "AccessTier": "Hot",
        }
    ]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("<Name>a&amp;b &lt;c&gt;</Name>", "a&b <c>"),
        ("<Name>a%20b</Name>", "a%20b"),
        ('<Name Encoded="true">a%01b%2520</Name>', "a\x01b%20"),
        ('<Name Encoded="false">%41</Name>', "%41"),
        ("<Name>é\U0001f600</Name>", "é\U0001f600"),
        ("<Name><![CDATA[<Blob>]]></Name>", "<Blob>"),
        ("<Name> a </Name>", " a "),
    ],
)
def test_names_arrive_as_they_are(sent: str, name: str) -> None:
    assert [each["Name"] for each in read_page(page(blob(sent))).blobs] == [name]


def test_metadata_and_tags_are_not_taken_for_properties() -> None:
    more = (
        "<Metadata><Name>m</Name><Etag>m</Etag><Properties><Etag>n</Etag></Properties></Metadata>"
        "<Tags><TagSet><Tag><Key>k</Key></Tag></TagSet></Tags><OrMetadata><Blob>x</Blob></OrMetadata>"
    )
    found = read_page(page(blob("<Name>a</Name>", more=more), blob("<Name>b</Name>")))
    assert [(each["Name"], each["Etag"]) for each in found.blobs] == [("a", "0x1"), ("b", "0x1")]


def test_an_empty_container() -> None:
    found = read_page(page())
    assert (found.blobs, found.next_marker) == ([], "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"not xml",
        page(blob("<Name>a</Name>"))[:-9],
        page(before='<!DOCTYPE x [<!ENTITY a "b">]>'),
        page(blob('<Name Encoded="true">%FF</Name>')),
    ],
)
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_page(body)
