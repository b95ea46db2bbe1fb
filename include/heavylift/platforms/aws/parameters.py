"""AWS Systems Manager's encrypted parameters (SecureString) as a store of secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, HeavyliftError, NotFoundError
from heavylift.platforms.aws.secrets import MOST_DESCRIPTION, QuietAws, tags_of
from heavylift.platforms.control import Limits
from heavylift.platforms.secrets import MARK, Dressing, Held, SecretInfo
from heavylift.secret_values import SecretValue

STANDARD_BYTES = 4_096
"""A longer value needs the advanced tier, which costs."""
_KEY = "alias/aws/ssm"


class ParameterStore:
    """The SecureString parameters of one account and region; others are no secrets, and are not listed.

    The version that Heavylift wrote bears the label ``heavylift``.
    """

    store = "parameter_store"

    def __init__(self, connection: Connection, limits: Limits | None = None) -> None:
        self._aws = QuietAws(connection, limits)

    async def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""

    async def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield all encrypted parameters of the region."""
        asked = {"ParameterFilters": [{"Key": "Type", "Values": ["SecureString"]}], "MaxResults": 50}
        async for page in self._aws.pages("ssm", "DescribeParameters", asked):
            for each in page.get("Parameters") or ():
                yield _info(each)

    async def read(self, name: str) -> Held | None:
        """Return one parameter with its value, or None."""
        filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        described = await self._aws.read("ssm", "DescribeParameters", {"ParameterFilters": filters})
        found = described.get("Parameters") or ()
        if not found:
            return None
        info = _info(found[0])
        if found[0].get("Type") != "SecureString":
            return Held(replace(info, refused="it is a parameter that is not encrypted"), None)
        try:
            answer = await self._aws.read("ssm", "GetParameter", {"Name": name, "WithDecryption": True})
        except NotFoundError:
            return None
        value = answer["Parameter"]
        version = str(value["Version"])
        ours = await self._is_ours(name, version)
        return Held(replace(info, version=version, ours=ours), SecretValue.of_text(value["Value"]))

    async def _is_ours(self, name: str, version: str) -> bool:
        asked = {"Name": name, "WithDecryption": False, "MaxResults": 50}
        async for page in self._aws.pages("ssm", "GetParameterHistory", asked):
            for each in page.get("Parameters") or ():
                if str(each["Version"]) == version:
                    return MARK in (each.get("Labels") or ())
        return False

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Make a parameter and return its version."""
        asked = {
            **_content(name, value),
            "Tags": tags_of(dressing),
            "Overwrite": False,
        }
        if dressing.description:
            asked["Description"] = dressing.description[:MOST_DESCRIPTION]
        if dressing.key:
            asked["KeyId"] = dressing.key
        try:
            return await self._put(asked)
        except HeavyliftError as error:
            raise (_exists(name) if "AlreadyExists" in error.got else error) from None

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Put a new version; up to 100 older ones stay."""
        del dressing
        asked: dict[str, Any] = {**_content(held.info.name, value), "Overwrite": True}
        return await self._put({**asked, "KeyId": held.info.key} if held.info.key else asked)

    async def _put(self, asked: Mapping[str, Any]) -> str:
        version = int((await self._aws.write("ssm", "PutParameter", asked))["Version"])
        marked = {"Name": asked["Name"], "ParameterVersion": version, "Labels": [MARK]}
        await self._aws.write("ssm", "LabelParameterVersion", marked)
        return str(version)


def _content(name: str, value: SecretValue) -> dict[str, Any]:
    tier = "Standard" if value.size <= STANDARD_BYTES else "Advanced"
    return {"Name": name, "Value": value.reveal().decode(), "Type": "SecureString", "Tier": tier}


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"making parameter {name!r}",
        got="a parameter of that name",
        expected="none",
        state="nothing was changed",
        remedy="run the same command again: it looks at what is there now",
        code="8813",
    )


def _info(found: Mapping[str, Any]) -> SecretInfo:
    key = str(found.get("KeyId") or "")
    return SecretInfo(
        name=str(found["Name"]),
        store=ParameterStore.store,
        version=str(found.get("Version") or ""),
        key="" if key.endswith(_KEY) else key,
        expires=_expires(found),
        description=str(found.get("Description") or ""),
    )


def _expires(found: Mapping[str, Any]) -> str:
    for each in found.get("Policies") or ():
        if each.get("PolicyType") == "Expiration":
            policy = json.loads(each.get("PolicyText") or "{}")
            return str((policy.get("Attributes") or {}).get("Timestamp") or "")
    return ""
