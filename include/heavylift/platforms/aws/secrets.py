"""AWS Secrets Manager as a store of secrets."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, HeavyliftError, NotFoundError, TransientError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Answer, Limits
from heavylift.platforms.secrets import MARK, Dressing, Held, SecretInfo, quiet
from heavylift.secret_values import SecretValue

_WRITES = frozenset({"CreateSecret", "PutSecretValue", "PutParameter", "LabelParameterVersion"})
_TRIES = 5
_TAG = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")
_MOST_TAGS, MOST_DESCRIPTION = 50, 1_024
_LOUD = ("botocore", "urllib3")
_DEFAULT_KEYS = ("alias/aws/secretsmanager", "alias/aws/ssm")


class QuietAws:
    """Sends calls whose arguments and answers nobody may see, in threads.

    botocore's own debugging log has both: it is held at INFO.
    """

    def __init__(self, connection: Connection, limits: Limits | None = None) -> None:
        hush()
        self._reads = AwsControlPlane(connection, limits)
        self._writes = AwsChanges(connection, self._reads, _WRITES, limits)
        self.region = region_of(connection)

    async def read(self, service: str, operation: str, arguments: Answer) -> Mapping[str, Any]:
        """Return the answer of a call that changes nothing."""
        return await self._run(self._reads.call, service, operation, arguments)

    async def write(self, service: str, operation: str, arguments: Answer) -> Mapping[str, Any]:
        """Return the answer of a call that changes something.

        Where there was none it is sent again: by then what it makes may be there, and is found by its name.
        """
        for attempt in range(_TRIES):
            try:
                return await self._run(self._writes.change, service, operation, arguments)
            except TransientError:
                if attempt == _TRIES - 1:
                    raise
            await asyncio.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the loop returns or raises")

    async def _run(self, call: Any, service: str, operation: str, arguments: Answer) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = await asyncio.to_thread(
                call, service, operation, self.region, arguments
            )
        except HeavyliftError as error:
            raise quiet(error) from None
        return answer

    async def pages(
        self, service: str, operation: str, arguments: Answer
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield all pages of a listing."""
        asked = dict(arguments)
        while True:
            answer = await self.read(service, operation, asked)
            yield answer
            token = answer.get("NextToken")
            if not token or token == asked.get("NextToken"):
                return
            asked["NextToken"] = token

    async def account(self) -> str:
        """Return the account's number."""
        found = await self._run(lambda *_: {"id": self._reads.account().id}, "", "", {})
        return str(found["id"])


def hush() -> None:
    """Keep botocore from logging requests and answers whole."""
    for name in _LOUD:
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)


class SecretsManagerStore:
    """The secrets of one account and region.

    A version that Heavylift writes bears a name that begins with ``heavylift-``: Secrets Manager lets the
    sender choose it, and a request that is repeated with it is carried out once.
    """

    store = "secrets_manager"

    def __init__(self, connection: Connection, limits: Limits | None = None) -> None:
        self._aws = QuietAws(connection, limits)

    async def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""

    async def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield all secrets of the region, those that are to be deleted included."""
        async for page in self._aws.pages("secretsmanager", "ListSecrets", {"IncludePlannedDeletion": True}):
            for each in page.get("SecretList") or ():
                yield _info(each)

    async def read(self, name: str) -> Held | None:
        """Return one secret with its current value, or None."""
        asked = {"SecretId": name}
        try:
            info = _info(await self._aws.read("secretsmanager", "DescribeSecret", asked))
        except NotFoundError:
            return None
        if info.refused:
            return Held(info, None)
        try:
            found = await self._aws.read("secretsmanager", "GetSecretValue", asked)
        except NotFoundError:
            return Held(info, None)
        text = found.get("SecretString")
        value = (
            SecretValue.of_text(text) if text is not None else SecretValue(found["SecretBinary"], text=False)
        )
        version = str(found.get("VersionId") or "")
        return Held(_at(info, version), value)

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Make a secret and return its version."""
        asked = {
            "Name": name,
            "ClientRequestToken": _token(),
            "Tags": tags_of(dressing),
            **_content(value),
        }
        if dressing.description:
            asked["Description"] = dressing.description[:MOST_DESCRIPTION]
        if dressing.key:
            asked["KmsKeyId"] = dressing.key
        try:
            made = await self._aws.write("secretsmanager", "CreateSecret", asked)
        except HeavyliftError as error:
            raise (_exists(name) if "ResourceExists" in error.got else error) from None
        return str(made["VersionId"])

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Put a new version, which becomes the current one; the one before stays as AWSPREVIOUS."""
        del dressing
        asked = {"SecretId": held.info.name, "ClientRequestToken": _token(), **_content(value)}
        return str((await self._aws.write("secretsmanager", "PutSecretValue", asked))["VersionId"])


def _content(value: SecretValue) -> dict[str, Any]:
    data = value.reveal()
    return {"SecretString": data.decode()} if value.text else {"SecretBinary": data}


def tags_of(dressing: Dressing) -> list[dict[str, str]]:
    """Return the tags of a new secret: the mark, and those of the source's that AWS takes."""
    fit = {
        key: text
        for key, text in sorted(dressing.labels.items())
        if _TAG.fullmatch(key) and _TAG_VALUE.fullmatch(text) and key != MARK
    }
    kept = [(MARK, dressing.migration), *fit.items()][:_MOST_TAGS]
    return [{"Key": key, "Value": text} for key, text in kept]


def _token() -> str:
    return f"{MARK}-{secrets.token_hex(16)}"


def _at(info: SecretInfo, version: str) -> SecretInfo:
    from dataclasses import replace

    return replace(info, version=version, ours=version.startswith(f"{MARK}-"))


def _info(found: Mapping[str, Any]) -> SecretInfo:
    stages = found.get("VersionIdsToStages") or found.get("SecretVersionsToStages") or {}
    version = next((each for each, names in stages.items() if "AWSCURRENT" in names), "")
    key = str(found.get("KmsKeyId") or "")
    owner = str(found.get("OwningService") or "")
    refused = "it is to be deleted" if found.get("DeletedDate") else ""
    info = SecretInfo(
        name=str(found["Name"]),
        store="secrets_manager",
        refused=refused or (f"{owner} owns it and makes its value" if owner else ""),
        key="" if key.endswith(_DEFAULT_KEYS) else key,
        rotation=_rotation(found),
        description=str(found.get("Description") or ""),
        labels={
            str(each["Key"]): str(each["Value"])
            for each in found.get("Tags") or ()
            if not str(each["Key"]).startswith("aws:") and each["Key"] != MARK
        },
    )
    return _at(info, version)


def _rotation(found: Mapping[str, Any]) -> str:
    if not found.get("RotationEnabled"):
        return ""
    rules = found.get("RotationRules") or {}
    every = rules.get("ScheduleExpression") or f"every {rules.get('AutomaticallyAfterDays', '?')} days"
    return f"by a function of Lambda's, {every}"


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"making secret {name!r}",
        got="a secret of that name",
        expected="none",
        state="nothing was changed",
        remedy="run the same command again: it looks at what is there now",
        code="8801",
    )
