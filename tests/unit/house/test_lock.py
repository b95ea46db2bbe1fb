"""requirements.txt is a full lock of requirements.in."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.unit.house.modules import REPOSITORY

HOW = "run: ./dev lock"
DIRECT = "# via -r requirements.in"


def wanted() -> list[Requirement]:
    lines = (REPOSITORY / "requirements.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]


def pins(text: str) -> dict[str, list[Requirement]]:
    """Return the pins by name; a name has several where Python versions differ."""
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[A-Za-z0-9].*$", text, re.MULTILINE):
        pin = Requirement(line.partition(" #")[0])
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def direct(text: str) -> set[str]:
    """Return the names that the lock says come from requirements.in itself."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    named = [block for block in blocks if re.search(r"#\s+(via )?-r requirements\.in$", block, re.MULTILINE)]
    return {canonicalize_name(re.match(r"[A-Za-z0-9._-]+", block)[0]) for block in named}  # type: ignore[index]


LOCK = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
PINS = pins(LOCK)


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_satisfies_the_requirement(requirement: Requirement) -> None:
    found = PINS.get(canonicalize_name(requirement.name), [])
    assert found, HOW
    for pin in found:
        (exact,) = pin.specifier
        assert requirement.specifier.contains(Version(exact.version), prereleases=True), HOW


def test_every_line_of_the_lock_is_one_exact_version() -> None:
    loose = {
        str(pin) for found in PINS.values() for pin in found if [s.operator for s in pin.specifier] != ["=="]
    }
    assert not loose


def test_the_lock_knows_the_requirements_and_no_others() -> None:
    assert direct(LOCK) == {canonicalize_name(it.name) for it in wanted()}, HOW


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"--(extra-)?index-url|--find-links|https?://", LOCK)


def test_the_library_declares_no_more_than_is_locked() -> None:
    declared = re.search(
        r"^dependencies = \[$(.*?)^\]$", (REPOSITORY / "pyproject.toml").read_text(), re.M | re.S
    )
    assert declared
    names = {
        canonicalize_name(Requirement(text).name) for text in re.findall(r'^\s+"([^"]+)"', declared[1], re.M)
    }
    assert names
    assert names <= set(PINS)


def test_the_reader_sees_both_forms_of_via() -> None:
    text = f"a==1\n    {DIRECT}\nb==2\n    # via\n    #   -r requirements.in\n    #   a\nc==3\n    # via a\n"
    assert direct(text) == {"a", "b"}
    assert set(pins(text)) == {"a", "b", "c"}
