"""Filling a source bucket as users' buckets are filled: by boto3, with its defaults.

Its transfer manager writes large objects in parts of 8 MiB, and every object or part carries
boto3's default checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.objects.apart import all_apart
from tests.benchmarks.objects.clients import create, s3_client
from tests.benchmarks.objects.loads import PIECE_BYTES, Load, key, pieces

_PROCESSES = 2
_THREADS = 8

Expected = dict[str, tuple[int, str]]
"""Size and MD5 of each key."""


def fill(env: Mapping[str, str], load: Load, bucket: str, folder: Path) -> Path:
    """Make and fill a bucket; return the file that says what is in it."""
    create(env, "aws_source", bucket)
    calls = [(dict(env), load, bucket, share) for share in range(min(_PROCESSES, load.objects))]
    wanted = dict(item for part in all_apart(_fill_share, calls) for item in part.items())
    listed = folder / f"{bucket}.json"
    listed.write_text(json.dumps(wanted))
    return listed


def _fill_share(env: Mapping[str, str], load: Load, bucket: str, share: int) -> Expected:
    client = s3_client(env, "aws_source")
    noise = os.urandom(PIECE_BYTES)
    mine = list(enumerate(load.sizes()))[share::_PROCESSES]
    with ThreadPoolExecutor(1 if load.large else _THREADS) as pool:
        return dict(pool.map(lambda it: _put(client, bucket, it[0], it[1], noise), mine))


def _put(client: Any, bucket: str, number: int, size: int, noise: bytes) -> tuple[str, tuple[int, str]]:
    name, digest = key(number), hashlib.md5(usedforsecurity=False)
    if size <= PIECE_BYTES:
        body = b"".join(pieces(number, size, noise))
        digest.update(body)
        client.put_object(Bucket=bucket, Key=name, Body=body)
        return name, (size, digest.hexdigest())
    with tempfile.NamedTemporaryFile() as file:
        for piece in pieces(number, size, noise):
            digest.update(piece)
            file.write(piece)
        file.flush()
        client.upload_file(file.name, bucket, name)
    return name, (size, digest.hexdigest())
