"""Amazon ECR: a password for its registry, its repositories, and new ones where images go."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import CredentialError, HeavyliftError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.secrets import hush
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.oci.authorising import Pair
from heavylift.platforms.oci.catalogues import demand_own_host

HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?[.-]([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)")
_EARLY_SECONDS = 900.0
_TAGS = [{"Key": "heavylift", "Value": "images"}]


class EcrAccount:
    """The registry of one account and region.

    :param host: the registry as images name it; it tells account and region.
    :raises ConnectionConfigError: the host is none of ECR's: AWS's passwords are for no other.
    """

    def __init__(self, connection: Connection, host: str) -> None:
        found = HOST.fullmatch(host)
        own = connection.text("registry_host") == host
        demand_own_host(
            connection, host, fits=found is not None or own, expected="ACCOUNT.dkr.ecr.REGION.amazonaws.com"
        )
        hush()
        self._region = found[2] if found else region_of(connection)
        self._id = found[1] if found else ""
        self._reads = AwsControlPlane(connection)
        self._writes = AwsChanges(connection, self._reads, frozenset({"CreateRepository"}))
        self._pair: tuple[Pair, float] | None = None
        self._lock = asyncio.Lock()

    async def credentials(self) -> Pair | None:
        """Return AWS's name and a password of some hours, fetched anew before it runs out.

        :raises CredentialError: no permission for ecr:GetAuthorizationToken.
        """
        async with self._lock:
            if self._pair is None or time.time() > self._pair[1]:
                self._pair = await self._fetched()
            return self._pair[0]

    async def _fetched(self) -> tuple[Pair, float]:
        answer = await self._read("GetAuthorizationToken", {})
        rows = answer.get("authorizationData") or [{}]
        try:
            name, _, word = (
                base64.b64decode(rows[0].get("authorizationToken", ""), validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            name = word = ""
        if not name or not word:
            raise CredentialError(
                "ecr GetAuthorizationToken",
                got="no token in the answer",
                expected="a name and a password, in base64",
                state="nothing was touched",
                remedy="check the connection's endpoint",
                code="9163",
            )
        until = rows[0].get("expiresAt")
        return Pair(name, word), (
            until.timestamp() if until else time.time() + _EARLY_SECONDS
        ) - _EARLY_SECONDS

    async def repositories(self) -> list[str] | None:
        """Return all repositories of the account and region, sorted."""
        asked: dict[str, Any] = {"maxResults": 1000, **({"registryId": self._id} if self._id else {})}
        found: list[str] = []
        while True:
            page = await self._read("DescribeRepositories", asked)
            found += [str(each["repositoryName"]) for each in page.get("repositories") or ()]
            if not page.get("nextToken"):
                return sorted(found)
            asked["nextToken"] = page["nextToken"]

    async def prepare(self, repository: str) -> None:
        """Make the repository where there is none: ECR makes none at a push.

        :raises CredentialError: no permission for ecr:CreateRepository.
        """
        asked = {"repositoryName": repository, "tags": _TAGS}
        if self._id:
            asked["registryId"] = self._id
        try:
            await asyncio.to_thread(self._writes.change, "ecr", "CreateRepository", self._region, asked)
        except HeavyliftError as error:
            if "RepositoryAlreadyExists" not in error.got:
                raise

    async def _read(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await asyncio.to_thread(self._reads.call, "ecr", operation, self._region, arguments)

    async def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""
