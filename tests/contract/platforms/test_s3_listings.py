"""S3Store's listings: pages, encodings of keys, answers that are not S3's."""

from __future__ import annotations

import pytest

from heavylift.errors import (
    CredentialError,
    PermanentError,
)
from tests.contract.platforms.s3_scripted import fault, s3
from tests.contract.platforms.scripted import Act, answer
from tests.contract.stores.subject import listed_keys


def listing(*keys: str, token: str = "", url: bool = True) -> Act:
    rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    encoding = "<EncodingType>url</EncodingType>" if url else ""
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        if token
        else ""
    )
    return answer(200, f"<ListBucketResult>{encoding}{rows}{more}</ListBucketResult>".encode())


async def test_pages_follow_their_tokens() -> None:
    async with s3(listing("a", token="t+1/="), listing("b")) as (store, server):
        assert await listed_keys(store, "p q/", "p q/a") == ["a", "b"]
    first, second = (sent.target for sent in server.requests)
    assert "prefix=p%20q%2F" in first
    assert "start-after=p%20q%2Fa" in first
    assert "encoding-type=url" in first
    assert "continuation-token=t%2B1%2F%3D" in second
    assert "start-after" not in second


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # No plus, no doubt.
        ([listing("a%20b", "c%2Bd", "e%25f")], ["a b", "c+d", "e%f"]),
        # As AWS writes: the probe finds a key with a space, written as a plus.
        ([listing("a+b", "c%2Bd"), listing("a+b")], ["a b", "c+d"]),
        # Spaces as %20 and a plus as it is: the probe finds nothing, or shows a space as %20.
        ([listing("a+b", "c%20d"), listing()], ["a+b", "c d"]),
        ([listing("a%20b", "a+b"), listing("a%20b")], ["a b", "a+b"]),
        # The parameter was ignored: keys are as they are.
        ([listing("a+b", "c%20d", url=False)], ["a+b", "c%20d"]),
    ],
)
async def test_a_plus_in_a_listing_is_found_out_and_not_guessed(
    answers: list[Act], expected: list[str]
) -> None:
    async with s3(*answers) as (store, server):
        assert await listed_keys(store) == expected
        assert len(server.requests) == len(answers)
    if len(answers) == 2:
        assert "prefix=a%20b" in server.requests[1].target


async def test_a_space_may_be_written_in_one_way_in_folders_and_in_another_in_names() -> None:
    """As SeaweedFS writes."""
    page = listing("p%20q/a+b%2B", "p%20q%2B/c+d")
    async with s3(page, page) as (store, _):
        assert await listed_keys(store) == ["p q/a b+", "p q+/c d"]


async def test_a_key_that_is_no_utf8_is_listed_and_named() -> None:
    async with s3(listing("a%FFb")) as (store, _):
        [key] = await listed_keys(store)
        assert store.key_problem(key)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Please sign in</html>",
        b"",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
async def test_an_answer_that_is_not_s3s_is_told_as_such(page: bytes) -> None:
    async with s3(answer(200, page)) as (store, _):
        with pytest.raises(PermanentError, match="endpoint_url"):
            await store.check()


async def test_a_listing_that_breaks_off_is_not_taken_for_whole() -> None:
    async with s3(listing("a", token="t"), answer(403, fault("AccessDenied"))) as (store, _):
        with pytest.raises(CredentialError):
            await listed_keys(store)
