"""The lock: making it, and telling without a network whether it still answers requirements.in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sandbox.bootstrap import ensure_uv
from sandbox.paths import REPO

_SOURCE = "-r requirements.in"


def main(*, upgrade: bool) -> int:
    """Resolve requirements.in for all platforms; ``./dev`` installs the result at its next start."""
    uv = ensure_uv()
    argv = [
        *(str(uv), "pip", "compile", "requirements.in", "--universal", "--python-version", "3.11"),
        *("--no-emit-index-url", "--quiet", "-o", "requirements.txt"),
        *(["--upgrade"] if upgrade else []),
    ]
    done = subprocess.run(argv, cwd=REPO, check=False)
    if done.returncode != 0:
        print("dev: requirements.txt is unchanged; uv's message is above.", file=sys.stderr)
        return 1
    print("requirements.txt is resolved; the next ./dev installs it.")
    return 0


def stale(wanted: Path, locked: Path) -> list[str]:
    """Return how the lock fails the requirements, as lines for a person; none when it is fresh."""
    requirements = [Requirement(line) for line in _lines(wanted.read_text())]
    pins = dict(_pins(locked.read_text()))
    problems = []
    for requirement in requirements:
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
            has = f"has {', '.join(versions)}" if versions else "does not have it"
            problems.append(f"{wanted.name} wants {requirement}, {locked.name} {has}")
    names = {canonicalize_name(requirement.name) for requirement in requirements}
    problems += [
        f"{locked.name} has {name} only because {wanted.name} once named it"
        for name in sorted(_direct(locked.read_text()) - names)
    ]
    if problems:
        problems.append("run ./dev lock and commit both files")
    return problems


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        bare = line.partition("#")[0].strip()
        if bare and not bare.startswith("-"):
            yield bare


def _pins(text: str) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for line in _lines(text):
        pin = Requirement(line)
        versions = [spec.version for spec in pin.specifier if spec.operator == "=="]
        found.setdefault(canonicalize_name(pin.name), []).extend(versions)
    yield from found.items()


def _direct(text: str) -> set[str]:
    """Return the packages of the lock that nothing but requirements.in asks for."""
    reasons: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line[:1].isalnum():
            name = canonicalize_name(Requirement(line).name)
        elif name and (reason := line.strip().removeprefix("#").strip().removeprefix("via").strip()):
            reasons.setdefault(name, []).append(reason)
    return {name for name, given in reasons.items() if set(given) == {_SOURCE}}
