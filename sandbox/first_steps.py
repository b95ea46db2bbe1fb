"""What a new user does in a browser: from an Airflow without a migration to one that is proved.

Nothing is asked of Airflow's API here: every step is a click or a text on a page. Used by the test of it, and
by ``./dev screenshots --first-steps`` for the guide's pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from heavylift.connections import connection_from_env
from sandbox.examples.objects import SeedObject
from sandbox.examples.uploading import ensure_gcs_bucket, ensure_s3_bucket, put_all, s3_client

MIGRATION, OBJECTS = "papers", 40
SERVERS = ("aws_source", "gcp_target")
SPEC = """\
apiVersion: heavylift/v1
migration: papers
owner: team-search
description: The search team's papers, to Google Cloud
source: {platform: aws, connection: aws_source}
target: {platform: gcp, connection: gcp_target}
datasets:
  - name: papers
    source: s3://papers/in/
    target: gs://papers/in/
gates:
  - name: proved
    phase: transfer
    checks: [counts_equal, checksums_equal]
    approval: {required: true}
"""
_PATIENCE_MS = 240_000
Shot = Callable[[str], None]
"""Called with the name of each picture worth taking."""


def seed(env: Mapping[str, str]) -> None:
    """Make both buckets, and put objects of 20 kB on the source."""
    ensure_gcs_bucket(connection_from_env("gcp_target", env), MIGRATION)
    client = s3_client(connection_from_env("aws_source", env))
    ensure_s3_bucket(client, MIGRATION)
    put_all(
        client,
        MIGRATION,
        (
            SeedObject(f"in/{n:03d}.bin", partial(bytes, bytearray([n]) * 20_000), "application/octet-stream")
            for n in range(OBJECTS)
        ),
    )


def log_in(page: Any, url: str, user: str, password: str) -> None:
    """Log in to Airflow as a person does."""
    page.goto(f"{url}/auth/login")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda seen: "/auth/login" not in seen)


def walk(page: Any, url: str, specs: Path, shot: Shot) -> None:
    """Take the first steps, logged in, in an Airflow that has no migration yet.

    :param specs: Airflow's folder of specs; the new one is written there, as by a deployment.
    """
    board = _open_board(page, url)
    board.get_by_text("No migrations yet").wait_for(timeout=_PATIENCE_MS)
    shot("first-1-empty")
    (specs / f"{MIGRATION}.yaml").write_text(SPEC)
    board.get_by_role("link", name=MIGRATION).first.click(timeout=_PATIENCE_MS)
    _start(board, dry=True, shot=shot)
    _until(board, "a dry run: everything was looked at")
    shot("first-3-dry-run")
    _start(board, dry=False, shot=None)
    answer = board.get_by_role("link", name="Answer in Airflow")
    answer.wait_for(timeout=_PATIENCE_MS)
    shot("first-4-asked")
    answer.click()
    _approve(page, shot)
    board = _open_board(page, url)
    board.get_by_role("link", name=MIGRATION).first.click(timeout=_PATIENCE_MS)
    _until(board, "complete and proved")
    shot("first-6-proved")


def _open_board(page: Any, url: str) -> Any:
    page.goto(url)
    page.get_by_role("link", name="Migrations").click(timeout=_PATIENCE_MS)
    return page.frame_locator("iframe")


def _start(board: Any, *, dry: bool, shot: Shot | None) -> None:
    """Start the transfer by the board's button; its DAG is new, so it is paused the first time."""
    # The button is there as soon as Airflow knows the DAG, some moments after the spec.
    board.get_by_role("button", name="Start transfer").click(timeout=_PATIENCE_MS)
    box = board.locator("dialog[open]")
    box.get_by_label("dry run").set_checked(dry)
    if shot is not None:
        box.get_by_text("switch the DAG on").wait_for()
        shot("first-2-start")
    box.get_by_role("button", name="Start").click()
    box.get_by_text("Started: ").wait_for(timeout=_PATIENCE_MS)
    box.get_by_role("button", name="Close").click()


def _until(board: Any, words: str) -> None:
    """Wait until the board says so of the latest transfer, and nothing of it runs any more."""
    row = board.get_by_role("row", name="transfer").first
    row.get_by_text(words).wait_for(timeout=_PATIENCE_MS)
    board.get_by_text("Nothing runs.").wait_for(timeout=_PATIENCE_MS)


def _approve(page: Any, shot: Shot) -> None:
    page.get_by_text("Approve gate proved?").wait_for(timeout=_PATIENCE_MS)
    page.get_by_text(f"{OBJECTS} objects on both sides").wait_for()
    shot("first-5-approval")
    page.get_by_role("button", name="Approve").click()
