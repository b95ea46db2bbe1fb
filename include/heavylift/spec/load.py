"""Reads spec files: one by one, or a whole directory where one bad file harms no other."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heavylift.spec.check import check_document
from heavylift.spec.document import read_document
from heavylift.spec.files import read_text
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import Mark, Problem, SpecFileError
from heavylift.spec.suites import insert_suites

DIRECTORY_VARIABLE = "HEAVYLIFT_MIGRATIONS"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class LoadedSpec:
    """A spec and the file that it was read from."""

    path: Path
    spec: MigrationSpec
    digest: str


@dataclass(frozen=True)
class SpecSet:
    """All specs of a directory: those that can be used and what is wrong with the others."""

    valid: tuple[LoadedSpec, ...]
    broken: tuple[SpecFileError, ...]


def load_spec(path: Path | str) -> MigrationSpec:
    """Read the migration spec in ``path``.

    :raises SpecFileError: with every problem of the file at once.
    """
    return _load(Path(path)).spec


def load_specs(directory: Path | str) -> SpecSet:
    """Read every ``*.yaml`` and ``*.yml`` directly in ``directory``, in the order of their names.

    Never raises for a file's content. Of two files with one migration name the first counts and
    the other is broken.
    """
    root = Path(directory)
    try:
        files = _specs_of(root)
    except OSError as error:
        return SpecSet((), (_no_directory(root, error),))
    return load_files(files)


def specs_in(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return ``paths`` with each directory replaced by the specs in it, each file once."""
    expanded = [file for path in paths for file in (_specs_of(path) if path.is_dir() else [path])]
    return tuple({file.resolve(): file for file in reversed(expanded)}.values())[::-1]


def load_files(files: Iterable[Path]) -> SpecSet:
    """Read ``files`` in their order; see :func:`load_specs`."""
    valid: dict[str, LoadedSpec] = {}
    broken: list[SpecFileError] = []
    for file in files:
        try:
            loaded = _load(file, valid)
        except SpecFileError as error:
            broken.append(error)
        else:
            valid[loaded.spec.migration] = loaded
    return SpecSet(tuple(valid.values()), tuple(broken))


def migrations_dir() -> Path:
    """Return the specs' directory: ``$HEAVYLIFT_MIGRATIONS``, else ``migrations`` beside the package."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / "migrations"


def spec_digest(spec: MigrationSpec) -> str:
    """Return the SHA-256 of what ``spec`` says, in hexadecimal.

    Fields at their defaults do not count, so that spelling a default out, the order of keys,
    comments and a newer Heavylift with more fields leave the digest as it is.
    """
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _load(path: Path, others: dict[str, LoadedSpec] | None = None) -> LoadedSpec:
    file = str(path)
    text = read_text(path, file)
    if isinstance(text, Problem):
        raise SpecFileError(file, (text,))
    document = read_document(text, file)
    insert_suites(document, path.parent)
    spec = check_document(document)
    other = (others or {}).get(spec.migration)
    if other is not None:
        raise SpecFileError(file, (_same_name(document.mark(("migration",)), spec.migration, other.path),))
    return LoadedSpec(path, spec, spec_digest(spec))


def _specs_of(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if _is_spec(path))


def _is_spec(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _same_name(mark: Mark, name: str, other: Path) -> Problem:
    return Problem(
        "2160", mark, "migration", f"the name {name!r}, which {other} has too", "a name of its own"
    )


def _no_directory(root: Path, error: OSError) -> SpecFileError:
    problem = Problem(
        "2161",
        Mark(str(root)),
        "",
        f"no readable directory ({error.strerror})",
        "the directory of the migration specs",
        f"create it, or set {DIRECTORY_VARIABLE}",
    )
    return SpecFileError(str(root), (problem,))
