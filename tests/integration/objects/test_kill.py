"""kill -9 in the middle: the second run does the rest and sends no finished part again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heavylift.platforms.ports import ObjectAttributes
from tests.integration.objects.places import Servers
from tests.integration.objects.test_between_clouds import contents, fill
from tests.support.fault_proxy import fault_proxy

MIB = 2**20
REPOSITORY = Path(__file__).parents[3]


def command(servers: Servers, source: str, target: str, evidence: Path, *more: str) -> subprocess.Popen[str]:
    environment = os.environ | servers.stack.env | {"PYTHONPATH": str(REPOSITORY / "include")}
    arguments = [
        "objects",
        "copy",
        source,
        target,
        "--source-conn",
        "aws_source",
        "--target-conn",
        "aws_target",
    ]
    options = ["--evidence", f"file://{evidence}", "--part-size", "5MiB", "--json", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "heavylift", *arguments, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parts_on(client: Any, bucket: str) -> int:
    uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return sum(
        len(client.list_parts(Bucket=bucket, Key=u["Key"], UploadId=u["UploadId"]).get("Parts", []))
        for u in uploads
    )


async def test_kill_and_run_again(servers: Servers, new_container: Callable[[], str], tmp_path: Path) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place("aws_target", new_container())
    objects = {f"small/{n:03d}": os.urandom(2000) for n in range(40)} | {"large": os.urandom(40 * MIB)}
    await fill(origin, objects, ObjectAttributes())
    client, bucket = servers.s3("aws_target"), goal.location.container

    first = command(
        servers, str(origin.location), str(goal.location), tmp_path / "evidence", "--bandwidth", "8MiB/s"
    )
    deadline = time.monotonic() + 120
    while parts_on(client, bucket) < 3 and first.poll() is None and time.monotonic() < deadline:
        pass  # each look is a request; the bandwidth limit leaves seconds for it
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    finished = parts_on(client, bucket)
    assert 3 <= finished < 8
    assert "large" not in await contents(goal)

    async with fault_proxy(servers.stack.endpoints["aws_target"], 0, {}) as proxy:
        connection = json.loads(servers.stack.env["AIRFLOW_CONN_AWS_TARGET"])
        connection["extra"]["endpoint_url"] = proxy.url
        servers.stack.env["AIRFLOW_CONN_AWS_TARGET"], before = (
            json.dumps(connection),
            servers.stack.env["AIRFLOW_CONN_AWS_TARGET"],
        )
        try:
            second = command(servers, str(origin.location), str(goal.location), tmp_path / "evidence")
        finally:
            servers.stack.env["AIRFLOW_CONN_AWS_TARGET"] = before
        output, errors = await asyncio.to_thread(second.communicate)
        parts_sent = sum(
            n for line, n in proxy.seen.items() if line.startswith("PUT") and "partNumber=" in line
        )
    assert second.returncode == 0, errors
    document = json.loads(output)
    assert document["verification"]["passed"]
    assert parts_sent == 8 - finished
    assert await contents(goal) == {key: hashlib.sha256(body).hexdigest() for key, body in objects.items()}
