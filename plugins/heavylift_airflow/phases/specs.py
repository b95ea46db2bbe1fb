"""Which specs a DAG file builds DAGs of, and what is told of those that cannot be used."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_parsing_context

from heavylift.errors import SpecError
from heavylift.spec import (
    LoadedSpec,
    Phase,
    SpecFileError,
    load_files,
    load_specs,
    migrations_dir,
)


def specs_to_build(phase: Phase, *also: str) -> tuple[LoadedSpec, ...]:
    """Return the specs whose DAG of ``phase`` is wanted.

    The dag processor wants all. A task wants its own DAG only, and finds its spec by the file's
    name where that is the migration's, so that a hundred specs do not slow each task down.

    :param also: names of further DAGs that the file builds, after the migration's name.
    """
    wanted = get_parsing_context().dag_id
    if wanted is None:
        return load_specs(migrations_dir()).valid
    migration, _, dag_phase = wanted.rpartition(".")
    if dag_phase not in (phase.value, *also):
        return ()
    by_name = load_files(path for path in [migrations_dir() / f"{migration}.yaml"] if path.is_file())
    found = by_name.valid or load_specs(migrations_dir()).valid
    return tuple(loaded for loaded in found if loaded.spec.migration == migration)


def refuse_broken_specs() -> None:
    """Do nothing where all specs can be used.

    :raises SpecError: with every problem of every spec that cannot.
    """
    broken = load_specs(migrations_dir()).broken
    if broken:
        raise BrokenSpecsError(
            "reading the migration specs",
            broken=broken,
            got=f"{len(broken)} that cannot be used",
            state="their DAGs are missing; all other migrations load",
            remedy="correct the files below; 'python -m heavylift spec check FILE' tells the same",
            code="8020",
        )


class BrokenSpecsError(SpecError):
    """Some migration specs cannot be used; their DAGs are missing, all others load.

    :param broken: what is wrong with each.
    """

    def __init__(self, what: str, *, broken: tuple[SpecFileError, ...], **parts: Any) -> None:
        self.broken = broken
        super().__init__(what, **parts)

    def render(self) -> str:
        """Return the message, then each broken spec's own."""
        return "\n\n".join([super().render(), *[str(error) for error in self.broken]])
