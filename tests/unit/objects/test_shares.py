"""What single objects grant to others: read, counted, and told as unknown where the source refuses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, ServerUnavailableError
from heavylift.objects.shares import Shares, shared_findings
from heavylift.platforms.aws.access_lists import granted as granted_by_s3
from heavylift.platforms.aws.permissions import permission_of
from heavylift.platforms.aws.xml import parse
from heavylift.platforms.gcp.access_lists import granted as granted_by_gcs
from heavylift.platforms.http import Request
from tests.unit.objects.fakes import FakeStore

GRANT = (
    '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="{kind}">'
    "<{name}>{value}</{name}></Grantee><Permission>{may}</Permission></Grant>"
)
GROUPS = "http://acs.amazonaws.com/groups/"


def acl(*grants: tuple[str, str, str]) -> bytes:
    """Return an answer to GetObjectAcl, as S3 documents it."""
    listed = "".join(
        GRANT.format(kind="Group" if name == "URI" else "CanonicalUser", name=name, value=value, may=may)
        for name, value, may in grants
    )
    return (
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>me</ID></Owner>'
        f"<AccessControlList>{listed}</AccessControlList></AccessControlPolicy>"
    ).encode()


@pytest.mark.parametrize(
    ("grants", "told"),
    [
        ([("ID", "me", "FULL_CONTROL")], ()),
        ([("ID", "me", "FULL_CONTROL"), ("URI", f"{GROUPS}global/AllUsers", "READ")], ("READ to everyone",)),
        (
            [
                ("URI", f"{GROUPS}global/AuthenticatedUsers", "READ"),
                ("ID", "you", "READ"),
                ("ID", "he", "READ"),
            ],
            ("READ to everyone with an AWS account", "READ to another account"),
        ),
        ([("URI", "urn:new", "WRITE_ACP")], ("WRITE_ACP to a group",)),
        ([], ()),
    ],
)  # fmt: skip
def test_a_list_of_s3_is_read(grants: list[tuple[str, str, str]], told: tuple[str, ...]) -> None:
    assert granted_by_s3(parse(acl(*grants))) == told


def test_a_list_of_cloud_storage_is_read() -> None:
    entries = {
        "user-me@example.org": "OWNER", "project-owners-1": "OWNER", "allUsers": "READER",
        "allAuthenticatedUsers": "READER", "user-you@example.org": "READER", "group-g@example.org": "OWNER",
        "domain-example.org": "READER", "new-kind": "READER",
    }  # fmt: skip
    listed = [{"entity": entity, "role": role} for entity, role in entries.items()]
    assert granted_by_gcs({"owner": {"entity": "user-me@example.org"}, "acl": listed}) == (
        "READER to everyone", "READER to everyone with a Google account", "READER to another account",
        "OWNER to a group", "READER to a domain", "READER to somebody",
    )  # fmt: skip
    assert granted_by_gcs({}) == ()


@dataclass
class Lists:
    """Lists of a made-up store."""

    used: bool = True
    refuses: HeavyliftError | None = None
    asked: list[str] = field(default_factory=list)

    async def in_use(self) -> bool:
        if isinstance(self.refuses, ServerUnavailableError):
            raise self.refuses
        return self.used

    async def granted(self, key: str) -> tuple[str, ...]:
        self.asked.append(key)
        if key == "gone":
            raise NotFoundError("list of gone", got="HTTP 404")
        if self.refuses:
            raise self.refuses
        return ("READ to everyone",) if key.startswith("public") else ()


class Listed(FakeStore):
    """A store with access lists."""

    def __init__(self, lists: Lists) -> None:
        super().__init__()
        self.lists = lists

    def access_lists(self) -> Lists:
        return self.lists


async def seen(lists: Lists, *keys: str, begin: bool = True) -> Shares:
    shares = Shares(Listed(lists))
    if begin:
        await shares.begin()
    for key in keys:
        await shares.at(key)
    return shares


async def test_grants_are_counted_and_the_target_s_way_is_named() -> None:
    shares = await seen(Lists(), "public 1", "private", "gone", "public 2")
    [finding] = shared_findings("d", shares, 4, "gs")
    assert finding.detail == "2 objects of 4 looked at: READ to everyone; access lists do not move"
    assert "allUsers" in finding.remedy
    [other] = shared_findings("d", shares, 4, "file")
    assert other.remedy == "grant access on the target anew"


async def test_who_may_not_be_told_is_asked_once_and_the_plan_says_unknown() -> None:
    lists = Lists(refuses=CredentialError("access list of k", got="HTTP 403"))
    shares = await seen(lists, "public 1", "public 2")
    assert lists.asked == ["public 1"]
    [finding] = shared_findings("d", shares, 2, "s3")
    assert (finding.rule, "HTTP 403" in finding.detail) == ("object-acl-unknown", True)


async def test_nothing_is_asked_where_lists_are_out_of_force_or_no_store_has_any() -> None:
    for lists, begin in ((Lists(used=False), True), (Lists(), False)):
        shares = await seen(lists, "public", begin=begin)
        assert (lists.asked, shared_findings("d", shares, 1, "s3")) == ([], [])
    plain = Shares(FakeStore())
    await plain.begin()
    await plain.at("public")
    assert shared_findings("d", plain, 1, "s3") == []


async def test_a_server_that_does_not_answer_is_no_unknown_list() -> None:
    with pytest.raises(ServerUnavailableError):
        await seen(Lists(refuses=ServerUnavailableError("ownership", got="HTTP 503", code="3120")))


@pytest.mark.parametrize(
    ("url", "permission"),
    [
        ("https://b.s3.amazonaws.com/?acl=", "s3:GetBucketAcl"),
        ("https://b.s3.amazonaws.com/k?acl=", "s3:GetObjectAcl"),
        ("https://s3.example/b/?ownershipControls=", "s3:GetBucketOwnershipControls"),
    ],
)
def test_a_refusal_names_its_permission(url: str, permission: str) -> None:
    assert permission_of(Request("GET", url, "look", {})) == permission
