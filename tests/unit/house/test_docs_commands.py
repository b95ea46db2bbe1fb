"""Every command of ``heavylift`` that the documentation shows exists, with the options it is shown with."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import pytest

from heavylift.cli import SUBCOMMANDS
from tests.unit.house.modules import REPOSITORY

PAGES = sorted(
    [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)
# Codes' remedies are not written for these pages, and their own tests hold them.
GENERATED = {"docs/reference/errors.md", "docs/runbooks/codes.md"}
COMMAND = re.compile(r"(?:^|[\s(])(?:python -m |\./dev )?heavylift ([a-z][^\n`]*)")
BY_NAME = {each.name: each for each in SUBCOMMANDS}


class Shown(NamedTuple):
    """A command as a page shows it, from behind the program's name."""

    page: str
    text: str


@cache
def command(name: str) -> Any:
    return BY_NAME[name].load()


def shown() -> list[Shown]:
    found = []
    for path in PAGES:
        page = path.relative_to(REPOSITORY).as_posix()
        if page in GENERATED:
            continue
        # A line that ends with a backslash goes on.
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = re.findall(r"^ *```(?:bash|sh|console)?\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
        spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for code in [*(line for block in blocks for line in block.splitlines()), *spans]:
            found += [Shown(page, match) for match in COMMAND.findall(code)]
    return found


def problems(text: str) -> list[str]:
    """Return what of a command does not exist; ``a|b`` stands for either, and ``…`` for more of the same."""
    text = re.split(r" #| \| |…|;", text.replace("[", " ").replace("]", " "))[0]
    words = text.split()
    if not words or words[0] not in BY_NAME:
        return [f"no command {words[0] if words else text}"]
    entered = [command(words[0])]
    rest = words[1:]
    while rest and hasattr(entered[0], "commands"):
        names = rest[0].split("|")
        known = entered[0].commands
        if not re.fullmatch(r"[a-z][a-z-]*", names[0]):
            break
        if missing := [name for name in names if name not in known]:
            return [f"no {words[0]} {missing}"]
        entered, rest = [known[name] for name in names], rest[1:]
        if len(entered) > 1:
            break
    options = {
        opt for each in entered for param in each.params for opt in (*param.opts, *param.secondary_opts)
    }
    wanted = {opt for word in rest for opt in re.findall(r"^--[a-z][a-z-]*", word)}
    return [f"no option {opt}" for opt in sorted(wanted - options - {"--help"})]


def test_every_command_in_the_pages_exists() -> None:
    found = shown()
    assert len(found) > 100
    wrong = [f"{each.page}: heavylift {each.text}: {why}" for each in found for why in problems(each.text)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "tables snapshoot",
        "tables sync|drian",
        "objects copy a b --sorce-conn x",
        "cutover traffic shove",
        "statsu x",
    ],
)
def test_a_command_that_does_not_exist_is_seen(text: str) -> None:
    assert problems(text)


@pytest.mark.parametrize(
    "text",
    ["tables sync|drain", "objects copy a b --source-conn x", "cutover traffic shift --epoch 7", "status x"],
)
def test_a_command_that_exists_is_no_problem(text: str) -> None:
    assert problems(text) == []
