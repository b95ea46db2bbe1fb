"""Finds the files that a spec names beside itself; none outside of its folder."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from heavylift.errors import NotFoundError, SpecError

MOST_FILES = 10_000


def files_beside(spec_path: str | Path, pattern: str) -> list[Path]:
    """Return the files or folders that a path or pattern of a spec means, sorted.

    Links are followed, and what they lead to must lie below the spec's folder as well.

    :raises NotFoundError: there is none.
    :raises SpecError: one lies outside, or there are too many.
    """
    folder = Path(spec_path).resolve().parent
    names = [pattern] if (folder / pattern).exists() else glob.glob(pattern, root_dir=folder, recursive=True)
    found = [folder / name for name in sorted(names)]
    for path in found:
        demand_beside(spec_path, path)
    if not found:
        raise NotFoundError(
            f"reading {pattern!r} beside the spec",
            got=f"no such file in {folder}",
            expected="at least one",
            state="nothing was translated",
            remedy="correct the path, and mount the spec's folder with its files on every worker",
            code="9111",
        )
    if len(found) > MOST_FILES:
        raise SpecError(
            f"reading {pattern!r} beside the spec",
            got=f"{len(found):,} files",
            expected=f"at most {MOST_FILES:,}",
            state="nothing was read",
            remedy="write a narrower pattern",
            code="9112",
        )
    return found


def demand_beside(spec_path: str | Path, path: Path) -> None:
    """Do nothing where ``path``, its links followed, lies below the spec's folder.

    :raises SpecError: it does not.
    """
    folder = Path(spec_path).resolve().parent
    if not path.resolve().is_relative_to(folder):
        raise SpecError(
            f"reading {path.name!r} beside the spec",
            got=f"{path}, which leads out of the spec's folder",
            expected="a file that lies in it",
            state="nothing was read",
            remedy="copy the file into the folder of the spec",
            code="9110",
        )


def file_beside(spec_path: str | Path, name: str | None) -> Path | None:
    """Return the one file that a spec names, or None where it names none.

    :raises NotFoundError: there is none.
    :raises SpecError: it lies outside, or is no single file.
    """
    return None if name is None else one_beside(spec_path, name)


def one_beside(spec_path: str | Path, name: str) -> Path:
    """Return the one file that a spec names.

    :raises NotFoundError: there is none.
    :raises SpecError: it lies outside, or is no single file.
    """
    found = plain_files_beside(spec_path, name)
    if len(found) == 1:
        return found[0]
    raise _no_file(name, f"{len(found)} files", "one file")


def plain_files_beside(spec_path: str | Path, pattern: str) -> list[Path]:
    """Return the files, folders left out, that a path or pattern of a spec means.

    :raises NotFoundError: there is nothing.
    :raises SpecError: as :func:`files_beside`, or there are folders alone.
    """
    found = [path for path in files_beside(spec_path, pattern) if path.is_file()]
    if not found:
        raise _no_file(pattern, "a folder", "a file, or a pattern of files")
    return found


def _no_file(name: str, got: str, expected: str) -> SpecError:
    return SpecError(
        f"reading {name!r} beside the spec",
        got=got,
        expected=expected,
        state="nothing was read",
        remedy=f"name {expected}",
        code="9113",
    )


def all_beside(spec_path: str | Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files that several patterns mean, each once.

    :raises NotFoundError: a pattern means none.
    :raises SpecError: as :func:`files_beside`.
    """
    return list(dict.fromkeys(path for pattern in patterns for path in files_beside(spec_path, pattern)))
