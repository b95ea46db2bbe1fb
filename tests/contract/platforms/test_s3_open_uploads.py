"""The list of uploads in progress, and refusals for want of room, as S3 and servers like it answer."""

from __future__ import annotations

import pytest

from heavylift.errors import CredentialError, HeavyliftError, NoRoomError
from heavylift.platforms.ports import ObjectAttributes
from tests.contract.platforms.s3_scripted import BODY, CRC, fault, s3
from tests.contract.platforms.scripted import Act, answer


def uploads(*named: tuple[str, str], following: str = "", encoded: bool = True) -> Act:
    rows = "".join(f"<Upload><Key>{key}</Key><UploadId>{name}</UploadId></Upload>" for key, name in named)
    more = f"<NextKeyMarker>{following}</NextKeyMarker><NextUploadIdMarker>u+/=</NextUploadIdMarker>"
    told = f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>{more if following else ''}"
    kind = "<EncodingType>url</EncodingType>" if encoded else ""
    return answer(
        200, f"<ListMultipartUploadsResult>{kind}{told}{rows}</ListMultipartUploadsResult>".encode()
    )


async def test_pages_follow_their_markers() -> None:
    async with s3(uploads(("a%20b", "1"), following="a%20b"), uploads(("c", "2"))) as (store, server):
        found = [one async for page in store.open_uploads("p q/") for one in page]
    assert [(one.place, one.upload_id) for one in found] == [("a b", "1"), ("c", "2")]
    first, second = (sent.target for sent in server.requests)
    assert "uploads=" in first
    assert "prefix=p%20q%2F" in first
    assert "key-marker=a%20b" in second
    assert "upload-id-marker=u%2B%2F%3D" in second


async def test_a_server_that_repeats_its_markers_does_not_hold_us_for_ever() -> None:
    page = uploads(("a", "1"), following="a", encoded=False)
    async with s3(page, page) as (store, server):
        found = [one async for page in store.open_uploads("") for one in page]
    assert len(found) == len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, fault("QuotaExceeded"), NoRoomError),
        (507, fault("XMinioStorageFull"), NoRoomError),
        (507, b"", NoRoomError),
        (403, fault("AccessDenied"), CredentialError),
    ],
)
async def test_a_full_server_is_not_taken_for_a_lack_of_permission(
    status: int, body: bytes, kind: type[HeavyliftError]
) -> None:
    from heavylift.checksums import Algorithm

    async with s3(answer(status, body)) as (store, _):
        with pytest.raises(kind):
            await store.put("k", BODY, ObjectAttributes(), {Algorithm.CRC32C: CRC})


async def test_a_bare_400_to_a_head_is_told_as_what_it_may_be() -> None:
    async with s3(answer(400, b"")) as (store, _):
        with pytest.raises(CredentialError, match="renew the credentials"):
            await store.head("k")
