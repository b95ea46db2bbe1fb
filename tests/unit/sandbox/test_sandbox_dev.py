from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from sandbox import bootstrap, dev, lock, screenshots, terminal
from sandbox.usage import COMMANDS, USAGE

ROOT = Path(bootstrap.__file__).parent.parent


def pieces(*chunks: bytes) -> bytes:
    return b"".join(terminal.interesting(iter(chunks)))


def test_lines_that_name_a_package_are_left_out() -> None:
    text = (
        b"Resolved 2\n + idna==3.10\n\x1b[32m+ \x1b[39m\x1b[1midna\x1b[0m==3\n - old==1\n ~ same==1\nDone\n"
    )
    assert pieces(text) == b"Resolved 2\nDone\n"


def test_they_are_left_out_however_the_output_is_cut_up() -> None:
    text = b"Resolved 2\n + idna==3.10\nInstalled 2\n"
    assert pieces(*(text[i : i + 1] for i in range(len(text)))) == b"Resolved 2\nInstalled 2\n"


def test_a_line_that_is_being_drawn_is_shown_at_once() -> None:
    shown = terminal.interesting(iter([b"Downloading 1%", b"\rDownloading 2%"]))
    assert next(shown) == b"Downloading 1%"
    assert next(shown) == b"\rDownloading 2%"


def test_output_without_an_end_of_line_is_not_lost() -> None:
    assert pieces(b"error: a", b"\n+ strange") == b"error: a\n+ strange"


def test_a_shown_command_gives_its_exit_status(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code = "import sys; print('hello'); print(' + idna==3.10'); sys.exit(7)"
    assert terminal.run_shown([sys.executable, "-c", code], dict(os.environ)) == 7
    assert capfdbinary.readouterr().err == b"hello\n"


def lock_problems(tmp_path: Path, wanted: str, locked: str) -> list[str]:
    (tmp_path / "requirements.in").write_text(wanted)
    (tmp_path / "requirements.txt").write_text(locked)
    return lock.stale(tmp_path / "requirements.in", tmp_path / "requirements.txt")


LOCKED = (
    "idna==3.10\n    # via -r requirements.in\nurllib3==2.5 ; sys_platform == 'x'\n    # via\n    #   boto3\n"
)


@pytest.mark.parametrize("wanted", ["idna\n", "idna>=3,<4  # why\n", "IDNA==3.*\nurllib3\n"])
def test_a_lock_that_answers_its_requirements_is_fresh(tmp_path: Path, wanted: str) -> None:
    assert lock_problems(tmp_path, wanted, LOCKED) == []


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("idna\nnew\n", "does not have it"),
        ("idna>=4\n", "has 3.10"),
        ("urllib3\n", "has idna only because"),
    ],
)
def test_a_lock_that_does_not_is_told_and_how_to_mend_it(tmp_path: Path, wanted: str, told: str) -> None:
    problems = lock_problems(tmp_path, wanted, LOCKED)
    assert told in problems[0]
    assert "./dev lock" in problems[-1]


@pytest.fixture
def pip_says(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that sets what ``pip config list`` prints, on a machine without uv settings."""
    for name in list(os.environ):
        if name.startswith("UV_") or name in {"SSL_CERT_FILE", "ALL_PROXY"}:
            monkeypatch.delenv(name)

    def say(text: str) -> None:
        done = subprocess.CompletedProcess([], 0, stdout=text)
        monkeypatch.setattr("sandbox.bootstrap.subprocess.run", lambda *_a, **_k: done)

    return say


def test_pips_settings_are_put_in_uvs_words(pip_says) -> None:  # type: ignore[no-untyped-def]
    pip_says(
        "global.cert='/etc/ca.crt'\nglobal.index-url='http://mirror/simple'\nglobal.proxy='http://p:1'\n"
        "global.extra-index-url='http://a/simple http://b/simple'\nglobal.trusted-host='mirror'\n"
        "global.timeout='60'\n"
    )
    assert bootstrap.pip_settings() == {
        "UV_DEFAULT_INDEX": "http://mirror/simple",
        "UV_INDEX": "http://a/simple http://b/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "mirror",
        "SSL_CERT_FILE": "/etc/ca.crt",
        "ALL_PROXY": "http://p:1",
    }


def test_pips_environment_wins_over_its_files(pip_says) -> None:  # type: ignore[no-untyped-def]
    pip_says(":env:.index-url='http://env/simple'\nglobal.index-url='http://file/simple'\n")
    assert bootstrap.pip_settings() == {"UV_DEFAULT_INDEX": "http://env/simple"}


def test_nothing_is_passed_on_where_pip_has_no_settings(pip_says) -> None:  # type: ignore[no-untyped-def]
    pip_says("")
    assert bootstrap.pip_settings() == {}


def test_uvs_own_index_is_left_alone(pip_says, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    pip_says("global.index-url='http://mirror/simple'\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://mine/simple")
    assert bootstrap.pip_settings() == {}


def test_every_command_is_in_the_help_and_the_other_way_round() -> None:
    told = {line.split()[0] for line in USAGE.splitlines() if line.startswith("  ") and line[2].isalpha()}
    assert told == COMMANDS


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "dev"), *arguments], capture_output=True, text=True, check=False, cwd="/"
    )


def test_help_and_unknown_commands_need_nothing_installed() -> None:
    asked, unknown, none = run_dev("--help"), run_dev("dmo"), run_dev()
    assert (asked.returncode, asked.stdout) == (0, USAGE)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "'dmo'" in unknown.stderr
    assert none.returncode == 2


@pytest.mark.parametrize("arguments", [["up", "--bogus"], ["test", "nolayer"], []])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        dev.main(arguments)
    assert caught.value.code == 2


def test_an_unknown_server_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sandbox.paths.STATE_DIR", tmp_path / "state")
    assert dev.main(["up", "--only", "aws_source,azure"]) == 2
    assert "azure" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_wrong_setting_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sandbox.paths.STATE_DIR", tmp_path / "state")
    monkeypatch.setenv("HEAVYLIFT_SANDBOX_GCS_BACKEND", "floppy")
    assert dev.main(["up", "--only", "gcp_target"]) == 2
    assert "'floppy'" in capsys.readouterr().err


def test_the_file_for_figures_is_meant_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(argv)
        return subprocess.CompletedProcess(argv, 4)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sandbox.dev.subprocess.run", run)
    assert dev.main(["bench", "copy", "--json", "a.json"]) == 1
    assert dev.main(["bench", "--json=b.json"]) == 1
    assert ran[0][-3:] == ["copy", "--json", str(tmp_path / "a.json")]
    assert ran[1][-1] == f"--json={tmp_path / 'b.json'}"


def test_a_picture_of_a_terminal_shows_the_beginning_and_the_end_and_no_markup_of_the_output() -> None:
    lines = [f"line {number} <b>" for number in range(200)]
    page = screenshots.terminal_page("\x1b[32mgreen\x1b[0m\n" + "\n".join(lines))
    assert "line 0 " in page
    assert "line 199 " in page
    assert "line 100 " not in page
    assert "<b>" not in page
    assert "\x1b" not in page


def test_what_was_drawn_over_is_not_in_the_picture() -> None:
    first = "\x1b[?25lrun  \x1b[32mqueued\x1b[0m\n  task one\n  task two"
    again = "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2Krun  done\n  task one ok\n"
    assert screenshots.settled(f"begin\n{first}{again}end\n\n") == [
        "begin",
        "run  done",
        "  task one ok",
        "end",
    ]


def test_a_live_display_of_rich_settles_to_its_last_frame() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=40)
    console.print("before")
    with Live("a\nb\nc", console=console, auto_refresh=False) as live:
        live.update("a done\nb", refresh=True)
        live.update("all done", refresh=True)
    console.print("after")
    assert screenshots.settled(screen.getvalue()) == ["before", "all done", "after"]
