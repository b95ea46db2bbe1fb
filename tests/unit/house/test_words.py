"""The project speaks one language, and of itself alone."""

from __future__ import annotations

import contextlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.unit.house.modules import DAGS, INTEGRATION, LIBRARY, REPOSITORY, module, source_files

# This file holds the words that it looks for; the others are other people's texts.
NOT_OURS = {
    "LICENSE",
    "requirements.txt",
    "tests/unit/house/test_words.py",
    "tests/unit/house/compose/compose-spec.json",
    "tests/unit/house/compose/compose-spec.LICENSE",
}

FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.:/])/(?:work|root|home/(?!airflow\b)\w+|Users)/[\w.]",
    "the host of a package registry": (
        r"\b(?:files\.pythonhosted|pypi|registry\.npmjs|deb\.debian|ghcr|quay)\.(?:org|io)\b"
    ),
    "a word of how it was written": (
        r"(?i)\b(?:claude|chatgpt|copilot|anthropic|openai codex|ai assistant|language model wrote)\b"
    ),
    "work that is not done": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "a merge that was not finished": r"^(?:<{7}|>{7}|={7})(?: |$)",
}

# DESIGN: always source and target.
WRONG_PAIR = re.compile(r"(?:^|_)(?:src|dst|dest|destination)(?:_|$)")
PRODUCTION = source_files(LIBRARY, INTEGRATION, DAGS)
# The other side's own words, in calls of its API.
THEIR_WORDS = {"dest"}


def our_files() -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(filter(None, done.stdout.split("\0"))) - NOT_OURS)
    return [name for name in names if (REPOSITORY / name).is_file()]


@cache
def texts() -> dict[str, str]:
    """Return the text of each of our files that is one."""
    found = {}
    for name in our_files():
        with contextlib.suppress(UnicodeDecodeError):
            found[name] = (REPOSITORY / name).read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in texts().items()
        for match in pattern.finditer(text)
    ]
    assert not found


@pytest.mark.parametrize(
    ("what", "text", "hit"),
    [
        ("a path of somebody's machine", "cd /" + "work/main", True),
        ("a path of somebody's machine", "/opt/airflow/" + "work/x and s3://" + "work/x", False),
        ("the host of a package registry", "https://pypi.org/simple", True),
        ("work that is not done", "# TODO: later", True),
        ("a merge that was not finished", "<<<<<<< ours", True),
        ("a merge that was not finished", "=========", False),
    ],
)
def test_the_patterns_find_what_they_name(what: str, text: str, hit: bool) -> None:
    assert bool(re.search(FORBIDDEN[what], text, re.MULTILINE)) is hit


@pytest.mark.parametrize("path", PRODUCTION, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_names_say_source_and_target(path: Path) -> None:
    names = module(path).names
    wrong = [f"{path}:{line}: {name}" for line, name in names if WRONG_PAIR.search(name.lower())]
    assert not [name for name in wrong if name.rsplit(" ", 1)[1] not in THEIR_WORDS]


@pytest.mark.parametrize("path", PRODUCTION, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_public_names_have_docstrings_and_files_stay_small(path: Path) -> None:
    found = module(path)
    assert found.lines < 400, "one idea a file: split it"
    assert "" not in found.silent, "a module says what it is for"
    assert not found.silent


def test_files_have_no_two_names_that_differ_in_case_only() -> None:
    folded = [name.casefold() for name in our_files()]
    assert len(folded) == len(set(folded))
