"""What ``./dev docs`` tells; the build itself is in tests/integration/docs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from sandbox import documentation


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path, str]]:
    """Put a build that fails where it asks addresses outside in place of the real one."""
    calls: list[tuple[Path, Path, str]] = []

    def build(
        source: Path, output: Path, builder: str = "html", **_: Any
    ) -> subprocess.CompletedProcess[str]:
        calls.append((source, output, builder))
        failed = builder == "linkcheck"
        return subprocess.CompletedProcess([], int(failed), "index.md: broken\n" if failed else "")

    monkeypatch.setattr(documentation, "build", build)
    return calls


def test_it_says_where_the_pages_are(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert documentation.main([]) == 0
    assert asked == [(documentation.DOCS, documentation.OUTPUT, "html")]
    assert str(documentation.OUTPUT / "index.html") in capsys.readouterr().out


def test_what_is_wrong_is_shown_and_fails(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert documentation.main(["--external"]) == 1
    assert asked == [(documentation.DOCS, documentation.EXTERNAL_OUTPUT, "linkcheck")]
    assert "index.md: broken" in capsys.readouterr().out


def test_everything_that_is_installed_is_pinned() -> None:
    lines = documentation.PINS.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    assert {"sphinx", "myst-parser", "furo"} <= {pin.name for pin in pins}
    assert all([spec.operator for spec in pin.specifier] == ["=="] for pin in pins)


def test_what_is_built_is_ignored_by_git() -> None:
    ignored = (documentation.REPO / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/build/" in ignored
    assert documentation.OUTPUT.parent == documentation.EXTERNAL_OUTPUT.parent == documentation.REPO / "build"
