"""Windows, filters, the dry run and progress as a person at a shell meets them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from heavylift.cli import copying, progress
from heavylift.errors import WindowClosedError
from heavylift.evidence.records import PlanRecord, RunKey, ShardSummary, Tally
from heavylift.objects.progress import Progress
from tests.unit.house.modules import REPOSITORY
from tests.unit.objects.test_objects_cli import folders, heavylift

__all__ = ["folders"]

Folders = tuple[str, str, str]


def window(begin: timedelta, end: timedelta) -> str:
    now = datetime.now(UTC)
    return f"{now + begin:%H:%M}-{now + end:%H:%M}"


def test_a_closed_window_with_no_wait_ends_with_three_and_says_when(
    capsys: pytest.CaptureFixture[str], folders: Folders, tmp_path: Path
) -> None:
    source, target, evidence = folders
    closed = window(timedelta(hours=3), timedelta(hours=4))
    arguments = ("objects", "copy", source, target, "--evidence", evidence, "--window", closed, "--no-wait")
    status, document, _ = heavylift(capsys, *arguments, "--json")
    assert (status, document["exit_status"]) == (3, 3)
    opens_at = datetime.fromisoformat(document["window"]["opens_at"])
    assert timedelta(hours=2, minutes=58) < opens_at - datetime.now(UTC) <= timedelta(hours=3)
    assert document["plan"]["to_copy"]["objects"] == 5
    assert list((tmp_path / "target").iterdir()) == []
    status, text, _ = heavylift(capsys, *arguments)
    assert status == 3
    assert f"run this again from {opens_at.isoformat()}" in text


def test_an_open_window_is_no_hindrance(capsys: pytest.CaptureFixture[str], folders: Folders) -> None:
    source, target, evidence = folders
    now_open = window(timedelta(hours=-1), timedelta(hours=1))
    arguments = ("objects", "copy", source, target, "--evidence", evidence, "--window", now_open)
    assert heavylift(capsys, *arguments, "--max-requests", "100/s")[0] == 0


def test_a_closed_window_is_waited_for(
    capsys: pytest.CaptureFixture[str], folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    import heavylift.objects.api as api

    source, target, evidence = folders
    copy_shard, waited = api.copy_shard, []

    async def closed_once(*arguments: object) -> object:
        if not waited:
            error = WindowClosedError("copy", state="nothing was begun")
            error.opens_at = "2026-11-22T22:00:00+00:00"
            raise error
        return await copy_shard(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(api, "copy_shard", closed_once)
    monkeypatch.setattr(copying, "wait_until", waited.append)
    arguments = ("objects", "copy", source, target, "--evidence", evidence, "--json")
    status, document, _ = heavylift(capsys, *arguments)
    assert (status, document["summary"]["moved"]["objects"]) == (0, 5)
    assert waited == [datetime(2026, 11, 22, 22, tzinfo=UTC)]


def test_waiting_says_so_once_and_looks_at_the_clock_again_and_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    opens = datetime(2026, 11, 22, 22, tzinfo=UTC)
    now, slept = [opens - timedelta(minutes=2)], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        # The machine was asleep for a minute longer than the process was.
        now[0] += timedelta(seconds=seconds + (60 if len(slept) == 2 else 0))

    copying.wait_until(opens, clock=lambda: now[0], sleep=sleep)
    assert slept == [30, 30]
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "waiting 2m 00s, until 2026-11-22T22:00:00+00:00" in told
    copying.wait_until(opens, clock=lambda: now[0], sleep=sleep)
    assert (len(slept), capsys.readouterr().err) == (2, "")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--window", "10pm-6am", "write '22:00-06:00'"),
        ("--window", "22:00-06:00 Europe/Berln", "perhaps Europe/Berlin is meant"),
        ("--max-requests", "fast", "500/s"),
        ("--max-requests", "0/s", "at least one"),
        ("--min-size", "2Mb", "write 2MB"),
        ("--max-size", "big", "64MiB"),
        ("--modified-since", "yesterday", "2026-11-01"),
        ("--modified-before", "2026-11-01T08:00", "add the zone"),
    ],
)
def test_a_wrong_option_is_refused_and_says_what_was_meant(
    capsys: pytest.CaptureFixture[str], folders: Folders, option: str, value: str, message: str
) -> None:
    source, target, evidence = folders
    status, _, error = heavylift(
        capsys, "objects", "copy", source, target, "--evidence", evidence, option, value
    )
    assert status == 2
    assert f"reading {option}" in error
    assert message in error


def test_filters_choose_what_is_copied_compared_and_verified(
    capsys: pytest.CaptureFixture[str], folders: Folders, tmp_path: Path
) -> None:
    """Object n has n bytes and is n days old."""
    source, target, evidence = folders
    for path in (tmp_path / "source").iterdir():
        age = datetime.now(UTC).timestamp() - int(path.name[1:]) * 86_400
        os.utime(path, (age, age))
    chosen = ("--evidence", evidence, "--min-size", "2B", "--modified-since", "84h")
    status, document, _ = heavylift(capsys, "objects", "copy", source, target, *chosen, "--json")
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "target").iterdir()) == ["f2", "f3"]
    assert document["plan"]["filtered"] == {"objects": 3, "size_bytes": 5}
    assert heavylift(capsys, "objects", "verify", source, target, *chosen)[0] == 0
    assert heavylift(capsys, "objects", "diff", source, target, *chosen)[0] == 0
    assert heavylift(capsys, "objects", "verify", source, target, "--evidence", evidence)[0] == 1


def test_a_dry_run_tells_exact_numbers_by_action_in_both_forms(
    capsys: pytest.CaptureFixture[str], folders: Folders, tmp_path: Path
) -> None:
    source, target, evidence = folders
    heavylift(capsys, "objects", "copy", source, target, "--evidence", evidence, "--exclude", "f4")
    (tmp_path / "source" / "f3").write_bytes(b"x" * 1_234_567)
    (tmp_path / "target" / "theirs").write_bytes(b"xx")
    dry = ("objects", "copy", source, target, "--evidence", evidence, "--dry-run", "--max-size", "2MB")
    _, document, _ = heavylift(capsys, *dry, "--json")
    assert document["plan"]["actions"] == {
        "copy": {"objects": 1, "size_bytes": 4},
        "extra": {"objects": 1, "size_bytes": 2},
        "replace": {"objects": 1, "size_bytes": 1_234_567},
        "unchanged": {"objects": 3, "size_bytes": 3},
    }
    _, text, _ = heavylift(capsys, *dry)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "to copy 2 objects 1,234,571 bytes" in lines
    assert "new 1 objects 4 bytes" in lines
    assert "replaced 1 objects 1,234,567 bytes" in lines
    assert "unchanged 3 objects 3 bytes" in lines
    assert "only on target 1 objects 2 bytes" in lines


PROBE = """
import sys
from heavylift.cli import app
from heavylift.cli.run import run
status = run(app, sys.argv[1:])
print("rich.progress" in sys.modules)
sys.exit(status)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_gets_a_bar_and_rich_is_loaded_for_nothing_else(
    folders: Folders, terminal: bool
) -> None:
    source, target, evidence = folders
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "objects", "copy", source, target, "--evidence", evidence, "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs if terminal else subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include"), "TERM": "xterm", "COLUMNS": "200"},
        check=False,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode() if terminal else done.stderr.decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1] == str(terminal)
    assert ("\x1b[" in shown) is terminal
    assert ("5/5 objects" in shown) if terminal else ("shard 1/1: copied 5 of 5 objects" in shown)


def plan_of(*sizes: int) -> PlanRecord:
    shards = tuple(ShardSummary(index=i, objects=10, size_bytes=size) for i, size in enumerate(sizes))
    total = Tally(objects=10 * len(sizes), size_bytes=sum(sizes))
    return PlanRecord(
        run=RunKey(migration="m", phase="transfer", run="r"),
        dataset="d",
        source_url="s",
        target_url="t",
        found=total,
        to_copy=total,
        unchanged=Tally(),
        refused=Tally(),
        only_on_target=Tally(),
        shards=shards,
    )


def test_the_bar_adds_up_the_shards_at_work_and_those_done() -> None:
    plan = plan_of(1_000, 2_000, 3_000)
    seen: list[Progress] = []
    whole = progress.Whole(plan, seen.append)
    first, second = whole.of_shard(plan.shards[0]), whole.of_shard(plan.shards[1])
    first(Progress(4, 10, 400, 1_000, 100.0, 6.0, 1.0, throttled=2, concurrency=8))
    second(Progress(4, 10, 500, 2_000, 300.0, 5.0, 1.0, throttled=1, concurrency=4))
    now = seen[-1]
    assert (now.objects_done, now.objects_total) == (8, 30)
    assert (now.bytes_done, now.bytes_total) == (900, 6_000)
    assert (now.bytes_per_second, now.throttled, now.concurrency) == (400.0, 3, 12)
    assert now.seconds_left == pytest.approx(max(5_100 / 400, 22 / 2))
    first(Progress(10, 10, 1_000, 1_000, 100.0, 0.0, 1.0))
    assert seen[-1].bytes_per_second == 300.0
    second(Progress(4, 10, 500, 2_000, 0.0, None, 0.0))
    assert seen[-1].seconds_left is None


def test_lines_come_now_and_then_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    plan = plan_of(1_000)
    report = progress.Lines(plan, clock=lambda: now[0]).of_shard(plan.shards[0])
    for second in range(10):
        now[0] = second * 0.5
        report(Progress(second, 10, second * 100, 1_000, 200.0, 5.0))
    report(Progress(10, 10, 1_000, 1_000, 200.0, 0.0))
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" of ")[0] for line in told] == [f"shard 1/1: copied {done}" for done in (2, 6, 10)]
