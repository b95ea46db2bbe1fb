"""A key of AWS KMS as a wrapping key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError, IntegrityError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.secrets import hush
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Limits
from heavylift.platforms.keys import CONTEXT, Wrapped
from heavylift.platforms.secrets import quiet

_FOREIGN = ("IncorrectKey", "InvalidCiphertext", "InvalidKeyUsage")


class KmsKey:
    """One symmetric key, by id, alias or ARN.

    It needs ``kms:Encrypt`` to wrap and ``kms:Decrypt`` to unwrap. Both are bound to the object by KMS's
    encryption context, which CloudTrail logs: it is a digest.
    """

    kind = "aws_kms"

    def __init__(self, connection: Connection, name: str, limits: Limits | None = None) -> None:
        hush()
        reads = AwsControlPlane(connection, limits)
        self._calls = AwsChanges(connection, reads, frozenset({"Encrypt", "Decrypt"}), limits)
        self._region, self._name = region_of(connection), name

    async def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""

    async def wrap(self, data_key: bytes, context: str) -> Wrapped:
        """Return the data key, encrypted by KMS; the answer tells the key's ARN."""
        asked = {"KeyId": self._name, "Plaintext": data_key, "EncryptionContext": {CONTEXT: context}}
        answer = await self._call("Encrypt", asked)
        return Wrapped(self.kind, str(answer["KeyId"]), bytes(answer["CiphertextBlob"]))

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the data key; KMS is told which key must have wrapped it."""
        # An alias may lead to it; an ARN or an id is a key's own name.
        named = "alias/" not in self._name and wrapped.key.rpartition("/")[2] != self._name.rpartition("/")[2]
        if wrapped.kind != self.kind or named:
            raise self._wrong(wrapped, f"the key {self._name} of AWS KMS")
        asked = {
            "KeyId": self._name,
            "CiphertextBlob": wrapped.data,
            "EncryptionContext": {CONTEXT: context},
        }
        try:
            return bytes((await self._call("Decrypt", asked))["Plaintext"])
        except HeavyliftError as error:
            if any(word in error.got for word in _FOREIGN):
                raise self._wrong(wrapped, f"{error.got} from the key {self._name}") from None
            raise

    def _wrong(self, wrapped: Wrapped, got: str) -> IntegrityError:
        return IntegrityError(
            "unwrapping a data key with AWS KMS",
            got=got,
            expected=f"the key {wrapped.key} ({wrapped.kind})",
            state="nothing was opened and nothing changed",
            remedy="name the key that sealed it",
            code="9344",
        )

    async def _call(self, operation: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = await asyncio.to_thread(
                self._calls.change, "kms", operation, self._region, dict(asked)
            )
        except HeavyliftError as error:
            raise quiet(error) from None
        return answer
