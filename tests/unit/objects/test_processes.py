"""Pieces of a command in processes of their own: results, news, errors, deaths and interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.longer import first_then_long
from tests.unit.house.modules import REPOSITORY

PREFACE = """
import os, signal, sys, time
from heavylift.cli.processes import Pieces, all_of, in_process, may_fork
from heavylift.errors import NotFoundError
assert may_fork()
deaf = lambda news: None
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh Python: a process that has threads, such as pytest's, forks nothing."""
    return subprocess.run(
        [sys.executable, "-c", PREFACE + textwrap.dedent(script), *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_pieces_run_at_once_in_other_processes_and_tell_news() -> None:
    script = """
    heard = []
    def piece(number):
        def work(tell):
            tell(("began", number))
            return os.getpid()
        return work
    ended = dict(all_of([(n, piece(n), heard.append) for n in range(5)], at_once=2))
    pids = {end.value() for end in ended.values()}
    assert sorted(ended) == [0, 1, 2, 3, 4], ended
    assert len(pids) == 5 and os.getpid() not in pids
    assert sorted(heard) == [("began", n) for n in range(5)], heard
    """
    done = run(script)
    assert done.returncode == 0, done.stderr


def test_two_pieces_really_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for what the other one writes."""
    script = """
    from pathlib import Path
    folder = Path(sys.argv[1])
    def piece(mine, other):
        def work(tell):
            (folder / mine).touch()
            deadline = time.monotonic() + 30
            while not (folder / other).exists():
                assert time.monotonic() < deadline, "alone"
                os.sched_yield()
            return mine
        return work
    pieces = [(1, piece("a", "b"), deaf), (2, piece("b", "a"), deaf)]
    assert {end.value() for _, end in all_of(pieces, at_once=2)} == {"a", "b"}
    """
    done = run(script, str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("room", "told"), [("False", "alone second"), ("True", "beside second")])
def test_another_piece_begins_beside_one_only_where_there_is_room(
    tmp_path: Path, room: str, told: str
) -> None:
    """The first goes on until it sees the second, or has been looked at ten times."""
    script = """
    from pathlib import Path
    folder, answer = Path(sys.argv[1]), sys.argv[2] == "True"
    class Asked:
        def for_another(self, pids):
            assert len(pids) == 1 and pids != [os.getpid()]
            assert (folder / "began").exists(), "asked before the first had begun"
            with (folder / "asked").open("a") as asked:
                asked.write("x")
            return answer
    def first(tell):
        (folder / "began").touch()
        tell("news")
        asked = folder / "asked"
        deadline = time.monotonic() + 30
        while not (folder / "second").exists() and not (asked.exists() and asked.stat().st_size >= 10):
            assert time.monotonic() < deadline
            os.sched_yield()
        return "beside" if (folder / "second").exists() else "alone"
    def second(tell):
        (folder / "second").touch()
        return "second"
    ended = dict(all_of([(1, first, deaf), (2, second, deaf)], at_once=2, room=Asked()))
    print(ended[1].value(), ended[2].value())
    """
    done = run(script, str(tmp_path), room)
    assert done.stdout == f"{told}\n", done.stderr


def test_an_error_of_ours_arrives_whole_and_a_defect_with_its_trace() -> None:
    script = """
    def ours(tell):
        raise NotFoundError("opening of s3://b", got="nothing", remedy="create it", code="3120")
    def defect(tell):
        return {}["missing"]
    for piece in (ours, defect):
        try:
            in_process(piece)
        except Exception as error:
            print(type(error).__name__, getattr(error, "code", ""), getattr(error, "remedy", ""))
            print("in defect" in str(error) and "KeyError" in str(error))
    """
    done = run(script)
    assert done.stdout.splitlines() == ["NotFoundError 3120 create it", "False", "RuntimeError  ", "True"]


def test_a_killed_piece_is_an_error_that_says_so_and_others_go_on() -> None:
    script = """
    def killed(tell):
        os.kill(os.getpid(), signal.SIGKILL)
    ended = dict(all_of([(1, killed, deaf), (2, lambda tell: "done", deaf)], at_once=2))
    assert ended[2].value() == "done"
    print(ended[1].error)
    """
    told = run(script).stdout
    assert "its process ended by SIGKILL" in told
    assert "[HL-2198]" in told


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_command_lets_each_piece_note_what_it_has_done(tmp_path: Path, name: str) -> None:
    script = """
    import asyncio
    from pathlib import Path
    from heavylift.aio import run
    from heavylift.cli.run import stop_on_sigterm
    stop_on_sigterm()
    folder = Path(sys.argv[1])
    async def work(number, tell):
        try:
            tell("began")
            await asyncio.Event().wait()
        finally:
            (folder / f"noted-{number}").touch()
    heard = []
    def hear(news):
        heard.append(news)
        if len(heard) == 2:
            os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    pieces = [(n, lambda tell, n=n: run(work(n, tell)), hear) for n in (1, 2)]
    try:
        list(all_of(pieces, at_once=2))
    except KeyboardInterrupt:
        print("interrupted")
    """
    done = run(script, str(tmp_path), name)
    assert done.stdout == "interrupted\n", done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noted-1", "noted-2"]


def test_who_stops_early_ends_what_still_runs_and_lets_it_note_what_it_has_done(tmp_path: Path) -> None:
    """As a defect in one shard does; the others must not be cut off when the command ends."""
    script = """
    import asyncio
    from contextlib import closing
    from pathlib import Path
    from heavylift.aio import run
    began = Path(sys.argv[1]) / "began"
    async def work(tell):
        try:
            began.touch()
            await asyncio.Event().wait()
        finally:
            (Path(sys.argv[1]) / "noted").touch()
    def defect(tell):
        while not began.exists():
            os.sched_yield()
        return {}["missing"]
    kept = None
    try:
        with closing(all_of([(1, defect, deaf), (2, lambda tell: run(work(tell)), deaf)], at_once=2)) as ends:
            for _, ended in ends:
                ended.value()
    except RuntimeError as error:
        kept = error  # and with it every frame below
    print(sorted(path.name for path in Path(sys.argv[1]).iterdir()), "KeyError" in str(kept))
    """
    done = run(script, str(tmp_path))
    assert done.stdout == "['began', 'noted'] True\n", done.stderr


def test_pieces_die_with_a_command_that_is_killed() -> None:
    """The pipe ends when the last process that holds it has gone."""
    script = """
    def work(tell):
        tell(os.getpid())
        signal.pause()
    def hear(pid):
        print(pid, flush=True)
        heard.append(pid)
        if len(heard) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    heard = []
    list(all_of([(1, work, hear), (2, work, hear)], at_once=2))
    """
    done = run(script)  # returns only when nobody holds standard output any more
    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout.split()) == 2


def test_a_program_that_has_threads_forks_nothing() -> None:
    script = """
    import threading
    held = threading.Event()
    threading.Thread(target=held.wait, daemon=True).start()
    heard = []
    def work(tell):
        tell("news")
        return os.getpid()
    pieces = [(n, work, heard.append) for n in range(3)]
    assert {end.value() for _, end in all_of(pieces, at_once=2)} == {os.getpid()}
    assert heard == ["news"] * 3
    """
    done = run(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("processes", "shards"), first_then_long([(9, 4), (1, 1)]))
def test_a_copy_is_spread_over_processes_that_have_work_enough(
    tmp_path: Path, processes: int, shards: int
) -> None:
    """3,500 objects are work for four processes at most; all of them arrive, once."""
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    for number in range(3_500):
        (tmp_path / "source" / f"{number}").write_bytes(b"x" * (number % 7))
    places = [f"file://{tmp_path}/{name}" for name in ("source", "target")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "heavylift", "objects", "copy", *places, "--json"),
            *("--evidence", f"file://{tmp_path}/evidence", "--processes", str(processes)),
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert sorted(shard["shard"] for shard in document["shards"]) == list(range(shards))
    assert sum(shard["moved"]["objects"] for shard in document["shards"]) == 3_500
    assert document["verification"]["equal"]["objects"] == 3_500
