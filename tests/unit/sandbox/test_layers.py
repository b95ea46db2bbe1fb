"""``./dev test`` leaves the long tests out and says so; with ``--all`` it runs every test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import dev, layers


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return what would have been run."""
    run: list[list[str]] = []

    def note(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        run.append(command[3:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", note)
    monkeypatch.setattr(layers, "_run_beside", lambda pieces, arguments: {})
    return run


def test_the_long_tests_are_left_out_unless_asked_for(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert layers.main(None, ["-x"], long=False) == 0
    assert "./dev test --all" in capsys.readouterr().out
    assert layers.main(None, ["-x"], long=True) == 0
    assert "--all" not in capsys.readouterr().out
    assert commands == [["tests/e2e", "-m", "not long", "-x"], ["tests/e2e", "-x"]]


def test_all_shares_together_are_all_tests_and_each_is_in_one() -> None:
    names = [f"tests/unit/test_some_{number}.py::test_it" for number in range(300)]
    shares = [[name for name in names if layers.Share(number, 3).has(name)] for number in (1, 2, 3)]
    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(60 < len(share) < 140 for share in shares)
    one_file = {layers.Share(1, 3).has(f"tests/e2e/test_it.py::test_step[{number}]") for number in range(9)}
    assert len(one_file) == 1, "what goes on from one another is torn apart"


def test_no_eighth_of_the_long_tests_is_empty_or_has_most_of_the_longest(repository: Path) -> None:
    files = [
        path.relative_to(repository).as_posix()
        for path in (repository / "tests").rglob("test_*.py")
        if re.search(r"\bmark\.long\b|first_then_long\(", path.read_text(encoding="utf-8"))
    ]
    shares = [[file for file in files if layers.Share(number, 8).has(file)] for number in range(1, 9)]
    assert all(len(share) > 4 for share in shares)
    assert all(sum(file.startswith("tests/e2e/") for file in share) <= 2 for share in shares)


def test_a_share_is_run_with_the_long_tests_and_says_so(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(layers.SHARE_VARIABLE, raising=False)
    assert layers.main(None, ["-x"], long=False, share=layers.Share.parse("2/3")) == 0
    assert "Share 2/3 of the long tests" in capsys.readouterr().out
    assert commands == [["tests/e2e", "-x"]]
    assert os.environ[layers.SHARE_VARIABLE] == "2/3"
    layers.main(None, ["-x"], long=False)
    assert layers.SHARE_VARIABLE not in os.environ


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "2", "2/", ""])
def test_what_is_no_share_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        dev.main(["test", "--share", text])
    assert ended.value.code == 2
    assert "--share" in capsys.readouterr().err


def test_a_run_of_a_share_leaves_the_other_long_tests_out(repository: Path) -> None:
    def collected(share: str | None, *more: str) -> set[str]:
        folder = "tests/unit/training"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        environment = {**os.environ, layers.SHARE_VARIABLE: share} if share else dict(os.environ)
        done = subprocess.run(
            [*command, *more, folder],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return {line for line in done.stdout.splitlines() if "::" in line}

    whole, short = collected(None), collected(None, "-m", "not long")
    first, second = collected("1/2"), collected("2/2")
    assert short < whole
    assert first & second == short
    assert first | second == whole
    assert len(first) + len(second) == len(whole) + len(short)


def test_what_stands_behind_two_dashes_is_pytests(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(layers, "main", lambda *given, **options: asked.append((*given, options)) or 0)
    assert dev.main(["test", "--all", "--", "--durations=5", "-x"]) == 0
    assert dev.main(["test", "unit", "--", "-k", "x"]) == 0
    assert asked == [
        (None, ["--durations=5", "-x"], {"long": True, "share": None}),
        ("unit", ["-k", "x"], {"long": False, "share": None}),
    ]


def test_the_pieces_together_are_every_test_once(repository: Path) -> None:
    files = {path.relative_to(repository / "tests") for path in (repository / "tests").rglob("test_*.py")}
    pieces = (*layers.BESIDE_EACH_OTHER, layers.ALONE)
    for file in files:
        held = [
            piece.folder
            for piece in pieces
            if file.is_relative_to(piece.folder)
            and not any(file.is_relative_to(folder) for folder in piece.without)
        ]
        assert len(held) == 1, (file, held)


def test_what_a_piece_takes_of_the_processors_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    busy = "import time; t = time.process_time()\nwhile time.process_time() < t + {}: pass"

    def command(piece: layers.Piece, arguments: object = ()) -> list[str]:
        return [sys.executable, "-c", busy.format({"unit": 0.6}.get(piece.folder, 0.0))]

    monkeypatch.setattr(layers.Piece, "command", command)
    results = layers._run_all([])
    assert results["unit"].cpu >= 0.6
    assert all(0 < result.cpu < results["unit"].cpu for name, result in results.items() if name != "unit")
    assert all(result.status == 0 for result in results.values())


def test_a_folder_that_is_named_is_run_instead_of_its_layer(commands: list[list[str]]) -> None:
    layers.main("unit", ["tests/unit/gates", "-q"], long=True)
    layers.main("unit", ["-q"], long=True)
    assert commands == [["tests/unit/gates", "-q"], ["tests/unit", "-q"]]


class Hanging(layers.Piece):
    """One that never ends."""

    def command(self, arguments: Sequence[str] = ()) -> list[str]:
        """Return a command that waits for nobody."""
        return [sys.executable, "-c", "def hangs():\n    input()\nhangs()"]


def test_a_piece_that_hangs_is_ended_and_tells_what_it_was_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()  # What nobody ever writes to.
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **more: popen(*given, stdin=reader, **more))
    try:
        done = layers._run_beside([Hanging("hanging")], [], limit=0.5)
    finally:
        os.close(reader)
        os.close(writer)
    assert done["hanging"].status == -signal.SIGABRT
    told = capsys.readouterr().out
    assert "hanging: ended after" in told
    assert "Current thread" in told
    assert "in hangs" in told
