"""Headers that S3 alone has: carried as they are, or in a metadata entry from which they return."""

from __future__ import annotations

import pytest

from heavylift.objects.appliances.load_manifest import decode_attributes, encode_attributes
from heavylift.objects.compare import attribute_differences
from heavylift.platforms.aws.attributes import attribute_problems as s3_problems
from heavylift.platforms.aws.attributes import sendable
from heavylift.platforms.aws.headers import attribute_headers, read_attributes
from heavylift.platforms.azure.headers import attribute_problems as azure_problems
from heavylift.platforms.azure.headers import head_of, headers_of
from heavylift.platforms.gcp.resources import object_head, resource_of
from heavylift.platforms.gcp.rules import attribute_problems as gcs_problems
from heavylift.platforms.local import xattrs
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.tags import KEPT_OTHERWISE
from heavylift.spec.datasets import Metadata

OWN = {"expires": "Tue, 01 Jan 2030 00:00:00 GMT", "x-amz-website-redirect-location": "/a?b=c&d=%20"}
GIVEN = ObjectAttributes(metadata={"k": "v"}, tags={"t": "1"}, own_headers=OWN)


def in_azure(given: ObjectAttributes) -> ObjectAttributes:
    told = {"content-length": "1", "etag": '"e"', "last-modified": "Tue, 01 Jan 2030 00:00:00 GMT"}
    return head_of("k", told | headers_of(given)).attributes


def in_gcs(given: ObjectAttributes) -> ObjectAttributes:
    told = {"name": "k", "size": "1", "generation": "1", "updated": "2030-01-01T00:00:00Z"}
    return object_head(told | resource_of(given)).attributes


def test_s3_gets_them_as_headers() -> None:
    headers = attribute_headers(GIVEN)
    assert headers.items() >= OWN.items()
    assert read_attributes(headers).own_headers == OWN
    assert s3_problems(GIVEN) == []


@pytest.mark.parametrize("keep", [in_azure, in_gcs])
def test_elsewhere_they_return_from_metadata(keep: object) -> None:
    kept = keep(GIVEN)  # type: ignore[operator]
    assert (kept.own_headers, kept.metadata) == (OWN, {"k": "v"})
    mine = ObjectAttributes(metadata={"heavylift-headers": "of-my-own=1"})
    assert keep(mine).metadata == mine.metadata  # type: ignore[operator]


@pytest.mark.parametrize("problems", [azure_problems, gcs_problems])
def test_their_other_form_is_told_and_what_it_replaces_is_lost(problems: object) -> None:
    told = problems(ObjectAttributes(own_headers=OWN, metadata={"heavylift-headers": "x"}))  # type: ignore[operator]
    assert [KEPT_OTHERWISE in each for each in told] == [True, False]


def test_files_and_devices_keep_them() -> None:
    assert xattrs.decode(xattrs.encode(GIVEN)) == GIVEN
    assert decode_attributes(encode_attributes(GIVEN)) == GIVEN


def test_one_that_is_lost_or_breaks_out_of_its_header_is_noticed() -> None:
    differences = attribute_differences(GIVEN, ObjectAttributes(metadata={"k": "v"}), Metadata(), tags=False)
    assert len(differences) == 1
    assert "expires" in differences[0]
    assert attribute_differences(GIVEN, GIVEN, Metadata(), tags=True) == []
    evil = ObjectAttributes(own_headers={"expires": "x\r\nAuthorization: evil"})
    assert not sendable(evil)
    assert "expires holds characters" in s3_problems(evil)[0]
