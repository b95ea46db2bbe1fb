"""Environments by uv: solved once, built once, from wheels only, and without a secret of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift import environments
from heavylift.environments import CACHE_VARIABLE, Solved, Solver, cache_folder
from heavylift.errors import ConnectionConfigError, ServerUnavailableError, UnsupportedError

# Notes its arguments and variables; makes what uv would.
FAKE = """#!/bin/sh
echo "$@" >> {notes}/asked
env >> {notes}/variables
case "$2" in
  compile) {compile} ;;
  install) {install} ;;
  *) for last; do :; done; mkdir -p "$last/bin"; cp /bin/true "$last/bin/python" ;;
esac
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "do-not-pass")
    fake_uv(tmp_path, monkeypatch)
    return tmp_path


def fake_uv(
    folder: Path, monkeypatch: pytest.MonkeyPatch, solving: str = "echo numpy==2.0", install: str = "true"
) -> None:
    program = folder / "uv"
    program.write_text(FAKE.format(notes=folder, compile=solving, install=install))
    program.chmod(0o700)
    monkeypatch.setattr(environments, "find_uv", lambda: str(program))


def asked(notes: Path) -> list[str]:
    return (notes / "asked").read_text().splitlines()


def test_the_same_pins_are_solved_and_built_once_whoever_asks(notes: Path) -> None:
    solver = Solver()
    solved = solver.solve(["numpy"], "3.11", constraints=["scipy==1"], platform="linux")
    assert solved == solver.solve(["numpy"], "3.11", constraints=["scipy==1"], platform="linux")
    assert solved.lock == ("numpy==2.0",)
    first = solver.build(solved, "3.11")
    assert first.exists()
    assert Solver().build(solved, "3.11") == first
    assert Solver().build(Solved(("numpy==2.1",)), "3.11") != first
    words = asked(notes)
    assert [line.split()[1] for line in words] == ["compile", "--quiet", "install", "--quiet", "install"]
    assert "--python-platform linux" in words[0]
    assert all("--no-build" in line for line in words if "install" in line or "compile" in line)


def test_uv_gets_no_secret_and_downloads_no_python(notes: Path) -> None:
    Solver(offline=True).solve(["numpy"], "3.11")
    variables = (notes / "variables").read_text()
    assert "do-not-pass" not in variables
    assert "UV_PYTHON_DOWNLOADS=never" in variables
    assert "--offline" in asked(notes)[0]


def test_what_was_not_finished_is_not_used(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(notes, monkeypatch, install="exit 1")
    solved = Solved(("numpy==2.0",))
    with pytest.raises(UnsupportedError, match="7530"):
        Solver().build(solved, "3.11")
    fake_uv(notes, monkeypatch)
    assert Solver().build(solved, "3.11").exists()


@pytest.mark.parametrize("said", ["error sending request for url", "dns error", "Connection refused"])
def test_an_index_that_does_not_answer_is_a_reason_to_try_again(
    notes: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    fake_uv(notes, monkeypatch, solving=f"echo '{said} https://user:hidden@index' >&2; exit 2")
    with pytest.raises(ServerUnavailableError) as raised:
        Solver().solve(["numpy"], "3.11")
    assert "hidden" not in str(raised.value)


def test_pins_that_do_not_fit_are_a_finding_and_no_error(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(notes, monkeypatch, solving="echo 'numpy==9 was not found' >&2; exit 1")
    solver = Solver()
    solved = solver.solve(["numpy==9"], "3.11")
    assert solved.problem == "numpy==9 was not found"
    with pytest.raises(UnsupportedError, match="numpy==9"):
        solver.tool("numpy==9", "3.11")


def test_it_does_not_wait_for_ever(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(notes, monkeypatch, solving="exec sleep 60")
    assert "within 1 s" in Solver(seconds=1.0).solve(["numpy"], "3.11").problem


def test_a_cache_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "link"))
    with pytest.raises(ConnectionConfigError, match="7532"):
        cache_folder()


def test_a_solution_without_a_network_is_no_answer_and_no_contradiction(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "echo 'hint: Packages were unavailable because the network was disabled.' >&2; exit 1"
    fake_uv(notes, monkeypatch, solving=said)
    with pytest.raises(ServerUnavailableError, match="7533"):
        Solver(offline=True).solve(["numpy"], "3.11")
