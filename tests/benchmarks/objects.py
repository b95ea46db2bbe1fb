"""Lanes ``objects-small`` and ``objects-large``: S3 to S3, against rclone as it comes and tuned.

Both sides are real servers of the sandbox. Heavylift's figure is the whole command ``objects
copy``: listing both sides, planning, copying with every proof, writing evidence, and an
independent verification afterwards. rclone's default run checks what it copied; the tuned
one has its checks switched off. After each run the target is counted; a tool that left
something behind has no figure.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from heavylift.connections import connection_from_env
from sandbox.stack import Stack
from tests.benchmarks.measure import Contender, alternate, as_text, table

REPOSITORY = Path(__file__).parents[2]
US = "heavylift"


@dataclass(frozen=True)
class Load:
    """What is moved."""

    objects: int
    size_bytes: int
    rclone_default: tuple[str, ...]
    rclone_tuned: tuple[str, ...]


LOADS = {
    "objects-small": Load(
        5_000,
        16 * 1024,
        ("--transfers", "32", "--checkers", "32", "--fast-list"),
        (
            *("--transfers", "64", "--checkers", "64", "--fast-list", "--s3-no-head"),
            *("--no-check-dest", "--use-server-modtime"),
        ),
    ),
    "objects-large": Load(
        4,
        128 * 2**20,
        ("--transfers", "4", "--multi-thread-streams", "4"),
        ("--transfers", "4", "--multi-thread-streams", "4", "--s3-disable-checksum", "--s3-no-head"),
    ),
}


def run_lane(lane: str, runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Fill a source bucket, let all tools copy it in turn, and return the figures."""
    load = LOADS[lane]
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-") as folder:
        Path(folder).chmod(0o711)
        stack = Stack.start(Path(folder), ["aws_source", "aws_target"])
        try:
            say(f"{lane}: filling the source with {load.objects} objects of {load.size_bytes // 1024} KiB")
            # In a process of its own: a tool's peak memory counts what its parent held when it forked.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
                apart.submit(_fill, dict(stack.env), load).result()
            found = alternate(_contenders(stack, load, Path(folder)), runs, say)
            _check(stack.env, load, found, runs)
        finally:
            stack.stop()
    rows = table(found, US)
    say(as_text(rows, US))
    return {"lane": lane, "runs": runs, "objects": load.objects, "size_bytes": load.size_bytes, "tools": rows}


def _client(env: Mapping[str, str], name: str) -> Any:
    import boto3

    found = connection_from_env(name, env)
    return boto3.client(
        "s3",
        endpoint_url=found.extra["endpoint_url"],
        aws_access_key_id=found.login,
        aws_secret_access_key=found.password,
        region_name="us-east-1",
    )


def _fill(env: Mapping[str, str], load: Load) -> None:
    client = _client(env, "aws_source")
    client.create_bucket(Bucket="bench")

    def put(number: int) -> None:
        key = f"data/{number % 50:02d}/object-{number:06d}"
        client.put_object(Bucket="bench", Key=key, Body=os.urandom(load.size_bytes))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(load.objects)))


def _contenders(stack: Stack, load: Load, folder: Path) -> list[Contender]:
    target = _client(stack.env, "aws_target")

    def bucket(tool: str, number: int) -> str:
        name = f"{tool}-{number}"
        target.create_bucket(Bucket=name)
        return name

    def ours(number: int) -> list[str]:
        command = [sys.executable, "-m", "heavylift", "objects", "copy", "s3://bench/"]
        command += [f"s3://{bucket('heavylift', number)}/", "--source-conn", "aws_source", "--target-conn"]
        return [*command, "aws_target", "--evidence", f"file://{folder}/evidence-{number}", "--json"]

    def rclone(tool: str, flags: tuple[str, ...]) -> Callable[[int], list[str]]:
        return lambda number: ["rclone", "copy", "S:bench", f"T:{bucket(tool, number)}", *flags]

    environment = dict(stack.env) | {"PYTHONPATH": str(REPOSITORY / "include")}
    config = _rclone_config(stack.env)
    return [
        Contender(US, ours, environment),
        Contender("rclone (default checks)", rclone("rclone-default", load.rclone_default), config),
        Contender("rclone (tuned, no checks)", rclone("rclone-tuned", load.rclone_tuned), config),
    ]


def _rclone_config(env: Mapping[str, str]) -> dict[str, str]:
    config = {"RCLONE_CONFIG": "/dev/null"}
    for letter, name in (("S", "aws_source"), ("T", "aws_target")):
        found = connection_from_env(name, env)
        config |= {
            f"RCLONE_CONFIG_{letter}_TYPE": "s3",
            f"RCLONE_CONFIG_{letter}_PROVIDER": "SeaweedFS",
            f"RCLONE_CONFIG_{letter}_ENDPOINT": str(found.extra["endpoint_url"]),
            f"RCLONE_CONFIG_{letter}_ACCESS_KEY_ID": str(found.login),
            f"RCLONE_CONFIG_{letter}_SECRET_ACCESS_KEY": str(found.password),
        }
    return config


def _check(env: Mapping[str, str], load: Load, found: Mapping[str, Any], runs: int) -> None:
    client = _client(env, "aws_target")
    for tool in ("heavylift", "rclone-default", "rclone-tuned"):
        for number in range(runs):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=f"{tool}-{number}")
            sizes = [item["Size"] for page in pages for item in page.get("Contents", [])]
            if sizes != [load.size_bytes] * load.objects:
                raise RuntimeError(
                    f"{tool} run {number} left {len(sizes)} of {load.objects} objects; no figures"
                )
