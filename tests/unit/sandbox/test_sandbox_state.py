from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from heavylift.errors import ConflictError
from sandbox import connections, overview, state
from sandbox.model import Launch, Place


def test_a_new_sandbox_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert state.load(tmp_path).sandbox != state.load(tmp_path).sandbox


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    known = state.load(tmp_path).with_server("gcp_target", {"http": 20001}, {"key": "s"})
    state.save(tmp_path, known)
    assert state.load(tmp_path) == known
    assert known.place("gcp_target", tmp_path).url == "http://127.0.0.1:20001"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 2, "sandbox": ""}'])
def test_a_state_that_cannot_be_read_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(ConflictError, match=r"HL-9004"):
        state.load(tmp_path)
    assert path.read_text() == text


def test_a_state_of_a_later_version_is_refused(tmp_path: Path) -> None:
    later = {"version": 99, "sandbox": "x", "ports": {}, "secrets": {}}
    (tmp_path / "state.json").write_text(json.dumps(later))
    with pytest.raises(ConflictError, match="version 99"):
        state.load(tmp_path)


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    state.save(tmp_path, state.load(tmp_path))
    connections.write(tmp_path, {"AIRFLOW_CONN_X": "{}"})
    for name in ("state.json", "env"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.write_private(tmp_path / "file", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        state.write_private(tmp_path / "file", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_keys_are_not_shown() -> None:
    place = Place("aws_source", Path("/x"), {"s3": 1}, {"secret_key": "verysecret"})
    launch = Launch("x", ["x"], "l", "/", env={"KEY": "verysecret"})
    known = state.State("name").with_server("aws_source", {"s3": 1}, {"secret_key": "verysecret"})
    assert "verysecret" not in f"{place!r}{launch!r}{known!r}"


def test_a_launch_survives_being_written_down() -> None:
    launch = Launch("x", ["a", "b c"], "log", "/", env={"A": "1"}, stop_signal=2, grace=1.5, user=(5, 6))
    assert Launch.from_json(json.loads(json.dumps(launch.to_json()))) == launch
    assert Launch.from_json(Launch("x", ["a"], "l", "/").to_json()).user is None


AWKWARD = {"conn_type": "x", "password": """it's "$HOME" `id` \\ é €""", "extra": {"a": [1, None]}}


def test_a_shell_that_sources_env_has_the_connections_exactly(tmp_path: Path) -> None:
    path = connections.write(tmp_path, connections.variables({"aws_source": AWKWARD}))
    script = 'source "$1"; exec "$2" -c "import os; print(os.environ[\'AIRFLOW_CONN_AWS_SOURCE\'])"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(path), sys.executable],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONUTF8": "1"},
    )
    assert json.loads(done.stdout) == AWKWARD


def test_the_env_file_is_read_back_without_a_shell_too(tmp_path: Path) -> None:
    variables = connections.variables({"aws_source": AWKWARD, "b": {"conn_type": "y"}})
    connections.write(tmp_path, variables)
    assert overview.environment(tmp_path) == variables


def test_a_sandbox_that_is_down_has_no_variables(tmp_path: Path) -> None:
    assert overview.environment(tmp_path) == {}


def test_the_evidence_connection_names_a_folder_that_exists(tmp_path: Path) -> None:
    path = Path(connections.evidence(tmp_path / "new")["extra"]["path"])
    assert path.is_absolute()
    assert path.is_dir()
