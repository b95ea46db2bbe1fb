"""The promises of the command line: what is printed where, and which status a command exits with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import pytest
import typer

from heavylift.cli.output import ExitStatus, emit, finish, mark_touched, note
from heavylift.cli.plain import plain, printable
from heavylift.cli.run import run, status_of
from heavylift.errors import (
    AuditError,
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    IncompleteError,
    IntegrityError,
    NotFoundError,
    ServerUnavailableError,
    SpecError,
    UnsupportedError,
)
from heavylift.spec import load_specs

AsJson = Annotated[bool, typer.Option("--json")]


def app_of(body: Callable[[bool], None]) -> typer.Typer:
    """Return an app with one command, ``go``, that runs ``body``."""
    app = typer.Typer()

    @app.callback()
    def _group() -> None:
        pass

    @app.command()
    def go(as_json: AsJson = False) -> None:
        body(as_json)

    return app


def raising(error: BaseException) -> typer.Typer:
    """Return an app whose command raises ``error``."""

    def body(_as_json: bool) -> NoReturn:
        raise error

    return app_of(body)


FAILURE = IncompleteError(
    "copy of s3://a/",
    got="2 failed",
    expected="0",
    state="8 of 10 are done",
    remedy="run it again",
    code="3999",
)


def test_a_result_is_text_for_people_and_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    app = app_of(lambda as_json: finish({"copied": 3}, text="3 copied", as_json=as_json))
    assert run(app, ["go"]) == 0
    assert capsys.readouterr().out == "3 copied\n"
    assert run(app, ["go", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"copied": 3, "exit_status": 0}


@pytest.mark.parametrize("status", list(ExitStatus))
def test_a_command_chooses_its_status(status: ExitStatus, capsys: pytest.CaptureFixture[str]) -> None:
    app = app_of(lambda as_json: finish({}, text="", as_json=as_json, status=status))
    assert run(app, ["go", "--json"]) == status
    assert json.loads(capsys.readouterr().out) == {"exit_status": int(status)}


def test_with_json_everything_else_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    def body(as_json: bool) -> None:
        print("stray")
        typer.echo("stray too")
        note("progress")
        finish({"done": True}, text="done", as_json=as_json)

    assert run(app_of(body), ["go", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"done": True, "exit_status": 0}
    assert captured.err == "stray\nstray too\nprogress\n"


def test_with_json_there_is_a_document_even_if_the_command_prints_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(app_of(lambda _: None), ["go", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"exit_status": 0}


def test_an_error_has_its_five_parts_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(FAILURE), ["go"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: copy of s3://a/ failed [HL-3999]",
        "  got:      2 failed",
        "  expected: 0",
        "  state:    8 of 10 are done",
        "  to fix:   run it again",
        "  retry:    safe",
    ]


def test_an_error_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(FAILURE), ["go", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {"error": FAILURE.attrs(), "exit_status": 1}


def test_an_error_after_the_result_adds_no_second_document(capsys: pytest.CaptureFixture[str]) -> None:
    def body(as_json: bool) -> NoReturn:
        emit({"copied": 3}, text="", as_json=as_json)
        raise FAILURE

    assert run(app_of(body), ["go", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"copied": 3}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (SpecError, 2),
        (ConnectionConfigError, 2),
        (CredentialError, 2),
        (NotFoundError, 2),
        (UnsupportedError, 2),
        (IntegrityError, 1),
        (IncompleteError, 1),
        (AuditError, 1),
        (ServerUnavailableError, 1),
    ],
)
def test_a_refusal_exits_2_only_while_nothing_was_touched(kind: type[HeavyliftError], status: int) -> None:
    error = kind("doing it", code="3998")
    assert status_of(error, touched=False) == status
    assert status_of(error, touched=True) == 1


def test_a_refusal_after_the_first_write_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_as_json: bool) -> NoReturn:
        mark_touched()
        raise CredentialError("writing", code="3997")

    assert run(app_of(body), ["go"]) == 1
    assert run(raising(CredentialError("writing", code="3997")), ["go"]) == 2
    assert "HL-3997" in capsys.readouterr().err


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), typer.Abort()])
def test_an_interruption_exits_3(interruption: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(interruption), ["go", "--json"]) == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"exit_status": 3}
    assert "safe to run the same command again" in captured.err


def test_a_defect_of_ours_is_called_one_and_still_gives_a_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(raising(ZeroDivisionError("oops")), ["go", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "HL-2199"
    assert "ZeroDivisionError: oops" in captured.err
    assert "to fix:   report it as a defect of Heavylift" in captured.err


@pytest.mark.parametrize("arguments", [["gone"], ["go", "--nonsense"], ["go", "extra"], []])
def test_a_wrong_command_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    app = app_of(lambda _: None)
    assert run(app, arguments) == 2
    assert capsys.readouterr().out == ""
    assert run(app, [*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["type"], error["state"]) == ("UsageError", "nothing was touched")
    assert all(error[part] for part in ("what", "got", "expected", "remedy"))


def test_json_behind_two_dashes_is_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app_of(lambda _: None), ["go", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_control_characters_of_a_key_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = IncompleteError("copy of s3://a/\x1b[2J\u202ekey", code="3996")
    assert run(raising(error), ["go"]) == 1
    assert r"s3://a/\x1b[2J\u202ekey" in capsys.readouterr().err
    assert printable("a\tb\nc\rd\udcff é") == "a\tb\nc\\rd\\udcff é"


class Colour(Enum):
    RED = "red"


def test_values_become_plain_json(tmp_path: Path) -> None:
    when = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    document = {
        "path": tmp_path, "when": when, "took": timedelta(seconds=1.5), "colour": Colour.RED,
        "nan": float("nan"), "set": {"b", "a"}, "tuple": (1, None, True), Colour.RED: "key",
        "specs": load_specs(tmp_path), "status": ExitStatus.FAILED,
    }  # fmt: skip
    assert json.loads(json.dumps(plain(document), allow_nan=False)) == {
        "path": str(tmp_path), "when": "2026-11-22T12:30:00+00:00", "took": 1.5, "colour": "red",
        "nan": None, "set": ["a", "b"], "tuple": [1, None, True], "red": "key",
        "specs": {"valid": [], "broken": []}, "status": 1,
    }  # fmt: skip


def test_a_field_that_hides_from_its_repr_hides_from_json_too() -> None:
    from heavylift.connections import Connection

    shown = plain(Connection("c", "aws", login="me", password="hunter2"))
    assert shown["conn_id"] == "c"
    assert "hunter2" not in json.dumps(shown)


WAITING = """
import sys, threading
import typer
from heavylift.cli.run import run, stop_on_sigterm

app = typer.Typer()

@app.command()
def wait() -> None:
    print("ready", flush=True)
    threading.Event().wait(60)

stop_on_sigterm()
sys.exit(run(app, []))
"""


def start(*arguments: str, repository: Path, **options: Any) -> subprocess.Popen[str]:
    """Start Python with the library on its path."""
    env = {**os.environ, "PYTHONPATH": str(repository / "include")}
    return subprocess.Popen(
        [sys.executable, *arguments], env=env, text=True, stderr=subprocess.PIPE, **options
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_with_status_3(number: signal.Signals, repository: Path) -> None:
    with start("-c", WAITING, repository=repository, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert errors == "interrupted; it is safe to run the same command again\n"


def test_a_reader_that_goes_away_is_no_crash(repository: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with start("-m", "heavylift", "spec", "schema", repository=repository, stdout=writer) as process:
        os.close(writer)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == ""
