"""Whether a tool did all of its work: an answer from the target, not from the tool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.objects.clients import Listed, listed, s3_client


def problem(env: Mapping[str, str], name: str, bucket: str, expected: Path, *, read: bool) -> str | None:
    """Return what is wrong with a target, None when it is as the source.

    Keys, sizes, and MD5s where the server tells them.

    :param read: also read every object and hash it.
    """
    wanted = {key: (size, md5) for key, (size, md5) in json.loads(expected.read_text()).items()}
    got = listed(env, name, bucket)
    wrong = differences(wanted, got)
    if not wrong and read:
        wrong = _read(env, name, bucket, wanted)
    return (
        f"{len(wrong):,} of {len(wanted):,} objects are not as in the source: {wrong[:3]}" if wrong else None
    )


def differences(wanted: Mapping[str, tuple[int, str]], got: Listed) -> list[str]:
    """Return the keys that are missing, too many, or differ in size or in an MD5 that is told."""
    wrong = [f"missing {key}" for key in wanted if key not in got]
    wrong += [f"extra {key}" for key in got if key not in wanted]
    for key, (size, md5) in wanted.items():
        if key in got and (got[key][0] != size or got[key][1] not in {None, md5}):
            wrong.append(f"different {key}")
    return wrong


def _read(env: Mapping[str, str], name: str, bucket: str, wanted: Mapping[str, tuple[int, str]]) -> list[str]:
    client = s3_client(env, name)
    wrong = []
    for key, (_, md5) in wanted.items():
        digest = hashlib.md5(usedforsecurity=False)
        for piece in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
            digest.update(piece)
        if digest.hexdigest() != md5:
            wrong.append(f"different {key}")
    return wrong
