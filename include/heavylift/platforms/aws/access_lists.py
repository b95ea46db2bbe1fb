"""Access lists of single objects: whether a bucket has them in force, and what one grants to others.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from heavylift.errors import NotFoundError
from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import Element, MalformedXmlError, parse
from heavylift.platforms.grants import EVERYONE
from heavylift.platforms.http import Request

_GROUPS = {
    "http://acs.amazonaws.com/groups/global/AllUsers": EVERYONE,
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": "everyone with an AWS account",
    "http://acs.amazonaws.com/groups/s3/LogDelivery": "S3's log delivery",
}


class ObjectAccessLists:
    """Asks S3; needs ``s3:GetBucketOwnershipControls`` and ``s3:GetObjectAcl``."""

    def __init__(self, wire: BucketWire) -> None:
        self._wire = wire

    async def in_use(self) -> bool:
        """Tell whether lists are in force: not where the bucket's owner owns all, S3's default since 2023."""
        request = self._wire.request("GET", "ownership of", None, None, b"", ownershipControls="")
        try:
            answer = await self._read(request)
        except NotFoundError:
            return True  # A bucket without the setting, as they all were.
        return all(rule.get("ObjectOwnership") != "BucketOwnerEnforced" for rule in answer.all("Rule"))

    async def granted(self, key: str) -> tuple[str, ...]:
        """Return what an object's list grants to others than its owner."""
        request = self._wire.request("GET", "access list of", key, None, b"", acl="")
        return granted(await self._read(request))

    async def _read(self, request: Request) -> Element:
        try:
            return parse((await self._wire.send(request)).body)
        except (MalformedXmlError, IndexError) as error:
            raise not_s3(request.what, error) from None


def granted(answer: Element) -> tuple[str, ...]:
    """Return what the answer to GetObjectAcl grants to others than the owner that it names."""
    owner = next((each.get("ID") for each in answer.all("Owner")), "")
    found = [
        f"{grant.get('Permission')} to {who}"
        for grants in answer.all("AccessControlList")
        for grant in grants.all("Grant")
        for grantee in grant.all("Grantee")
        if (who := _who(grantee, owner))
    ]
    return tuple(dict.fromkeys(found))


def _who(grantee: Element, owner: str) -> str:
    group = grantee.get("URI")
    if group:
        return _GROUPS.get(group, "a group")
    return "" if grantee.get("ID") == owner else "another account"
