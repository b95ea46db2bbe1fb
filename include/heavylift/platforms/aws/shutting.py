"""Shutting a prefix by a statement of the bucket's policy: nobody reads or writes below it.

Listing, deleting and changing the policy stay allowed, so that it can always be taken back
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html). S3 has no condition on writing a
policy: somebody else's change of it at the same moment may be lost, so it is read back.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from heavylift.errors import ConflictError, NotFoundError
from heavylift.platforms.aws.wire import BucketWire, not_s3

_DENIED = ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
_VERSION = "2012-10-17"


async def shut(wire: BucketWire, prefix: str, note: str) -> str:
    """Add the statement, beside whatever the policy says; idempotent."""
    policy = await _read(wire)
    others = _others(policy, note)
    statement = {
        "Sid": _sid(note),
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(_DENIED),
        "Resource": f"arn:aws:s3:::{wire.location.container}/{prefix}*",
    }
    await _write(
        wire, {**policy, "Version": policy.get("Version", _VERSION), "Statement": [*others, statement]}
    )
    if not await is_shut(wire, note):
        raise ConflictError(
            f"shutting {wire.location}",
            got="a bucket policy without the statement that was just put into it",
            expected="nobody else who writes the policy at the same moment",
            state="the bucket is as open as its policy says",
            remedy="look at the policy, and run again",
            code="9334",
        )
    return f"the bucket's policy denies everybody {' and '.join(_DENIED)} below {prefix or '/'}"


async def open_again(wire: BucketWire, note: str) -> str:
    """Take exactly that statement out; idempotent."""
    policy = await _read(wire)
    others = _others(policy, note)
    if len(others) == len(policy.get("Statement", [])):
        return "the bucket's policy has no statement of ours"
    if others:
        await _write(wire, {**policy, "Statement": others})
    else:
        await wire.send(wire.request("DELETE", "deletion of the policy of", None, None, b"", policy=""))
    return "our statement was taken out of the bucket's policy"


async def is_shut(wire: BucketWire, note: str) -> bool:
    """Tell whether the policy has the statement."""
    policy = await _read(wire)
    return len(_others(policy, note)) < len(policy.get("Statement", []))


def _others(policy: dict[str, Any], note: str) -> list[Any]:
    return [each for each in policy.get("Statement", []) if each.get("Sid") != _sid(note)]


async def _read(wire: BucketWire) -> dict[str, Any]:
    request = wire.request("GET", "policy of", None, None, b"", policy="")
    try:
        answer = await wire.send(request)
        policy = json.loads(bytes(answer.body))
    except NotFoundError:
        return {}  # S3's way of saying that there is none.
    except ValueError:
        raise not_s3(request.what, "a policy that is no JSON") from None
    statements = policy.get("Statement", [])
    return {**policy, "Statement": statements if isinstance(statements, list) else [statements]}


async def _write(wire: BucketWire, policy: dict[str, Any]) -> None:
    body = json.dumps(policy).encode()
    await wire.send(wire.request("PUT", "policy of", None, None, body, policy=""))


def _sid(note: str) -> str:
    # Letters and digits only.
    return f"Heavylift{hashlib.sha256(note.encode()).hexdigest()[:16]}"
