"""``./dev test`` leaves the long tests out and says so; with ``--all`` it runs every test."""

from __future__ import annotations

import subprocess
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


def test_what_stands_behind_two_dashes_is_pytests(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(layers, "main", lambda *given, **options: asked.append((*given, options)) or 0)
    assert dev.main(["test", "--all", "--", "--durations=5", "-x"]) == 0
    assert dev.main(["test", "unit", "--", "-k", "x"]) == 0
    assert asked == [
        (None, ["--durations=5", "-x"], {"long": True}),
        ("unit", ["-k", "x"], {"long": False}),
    ]
