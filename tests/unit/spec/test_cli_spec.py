"""``heavylift spec`` and how the command line finds its commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from heavylift import __version__
from heavylift.cli import SUBCOMMANDS, app
from heavylift.cli.run import run
from heavylift.spec import spec_digest
from tests.support.isolated import run_python
from tests.unit.spec.samples import MINIMAL, load, write

HEAVY = (
    "airflow",
    "aiohttp",
    "azure",
    "boto3",
    "botocore",
    "duckdb",
    "google.auth",
    "google.cloud.storage",
    "matplotlib",
    "rich",
    "pandas",
    "pyarrow",
    "numpy",
)
RUN = """
import contextlib, io, sys
from heavylift.cli import app
from heavylift.cli.run import run

with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    status = run(app, sys.argv[1:])
answer([status, sorted(sys.modules)])
"""


def check(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = run(app, ["spec", "check", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_right_file_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, MINIMAL)
    status, out, err = check(capsys, path)
    assert (status, err) == (0, "")
    digest = spec_digest(load(tmp_path, MINIMAL))[:12]
    assert out == f"{path}: ok, migration fraud-scoring, 1 dataset, digest {digest}\n1 right, 0 wrong\n"


def test_a_wrong_file_exits_2_and_every_problem_can_be_clicked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = write(tmp_path, MINIMAL.replace("fraud-scoring", "other"), "a.yaml")
    path = write(tmp_path, MINIMAL + "nonsense: 1\nworse: 2\n", "b.yaml")
    status, out, err = check(capsys, right, path)
    assert status == 2
    assert out.endswith("1 right, 1 wrong\n")
    first, second, last = err.splitlines()
    assert first.startswith(f"{path}:10:1: nonsense: got the unknown key 'nonsense'")
    assert first.endswith("[HL-2120]")
    assert second.startswith(f"{path}:11:1: worse: ")
    assert last == f"error: {path} has 2 problems; nothing of this file is used, nothing was touched"


def test_with_json_there_is_one_document_about_all_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = write(tmp_path, MINIMAL, "a.yaml")
    wrong = write(tmp_path, MINIMAL.replace("fraud-scoring", "other") + "nonsense: 1\n", "b.yaml")
    status, out, _ = check(capsys, tmp_path, "--json")
    document: dict[str, Any] = json.loads(out)
    assert (status, document["exit_status"], document["valid"], document["broken"]) == (2, 2, 1, 1)
    first, second = document["files"]
    assert first["file"] == str(right)
    assert first["ok"]
    assert first["migration"] == "fraud-scoring"
    assert first["digest"] == spec_digest(load(tmp_path / "..", MINIMAL))
    assert second["file"] == str(wrong)
    assert not second["ok"]
    assert second["problems"][0]["mark"]["line"] == 10
    assert second["problems"][0]["code"] == "2120"


def test_two_files_of_one_migration_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = check(capsys, write(tmp_path, MINIMAL, "a.yaml"), write(tmp_path, MINIMAL, "b.yaml"))
    assert status == 2
    assert "b.yaml:2:12: migration: got the name 'fraud-scoring'" in err


def test_a_file_named_twice_is_checked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, MINIMAL)
    assert check(capsys, path, tmp_path)[0] == 0


def test_a_missing_file_and_a_directory_without_specs_are_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = check(capsys, tmp_path / "missing.yaml")
    assert status == 2
    assert f"{tmp_path / 'missing.yaml'}: got no such file" in err
    status, out, _ = check(capsys, tmp_path)
    assert (status, out) == (2, "0 right, 0 wrong\n")


@pytest.mark.parametrize("arguments", [["spec", "schema"], ["spec", "schema", "--json"]])
def test_the_schema_is_printed_as_it_is(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, arguments) == 0
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_the_fields_are_printed_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["spec", "fields"]) == 0
    assert "| `datasets[].on_conflict` | `fail`, `skip`, `overwrite` | `fail` |" in capsys.readouterr().out


def test_checking_a_spec_imports_no_sdk_no_airflow_and_no_other_command(repository: Path) -> None:
    status, modules = run_python(RUN, "spec", "check", str(repository / "include" / "migrations"))
    assert status == 0
    assert not [name for name in HEAVY if name in modules]
    assert [name for name in modules if name.startswith("heavylift.cli.")] == [
        f"heavylift.cli.{name}" for name in ("lazy", "output", "plain", "render", "run", "spec")
    ]


def test_the_help_names_every_command_and_imports_none(repository: Path) -> None:
    status, modules = run_python(RUN, "--help")
    assert status == 0
    commands = {f"heavylift.cli.{subcommand.name}" for subcommand in SUBCOMMANDS}
    assert not commands.intersection(modules)


def test_a_command_is_there_when_its_module_is(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(app, ["--help"]) == 0
    text = capsys.readouterr().out
    folder = repository / "include" / "heavylift" / "cli"
    for subcommand in SUBCOMMANDS:
        there = (folder / f"{subcommand.name}.py").is_file() or (folder / subcommand.name).is_dir()
        assert (subcommand.help in text) is there, subcommand.name


@pytest.mark.parametrize(
    "name",
    [
        entry.name
        for entry in SUBCOMMANDS
        if entry.name in {command.name for command in app.registered_commands}
    ],
)
def test_every_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, [name, "--help"]) == 0
    assert f"heavylift {name}" in capsys.readouterr().out


def test_a_misspelt_command_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["spce"]) == 2
    assert "Did you mean 'spec'" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["--version"]) == 0
    assert capsys.readouterr().out == f"heavylift {__version__}\n"
