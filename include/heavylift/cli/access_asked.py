"""What the options of ``heavylift access`` mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.access.model import Names
    from heavylift.spec.model import MigrationSpec

_SPECS = frozenset({".yaml", ".yml"})


@dataclass(frozen=True)
class Given:
    """Where permissions are read from: a spec, or files of a platform."""

    names: Names
    files: tuple[Path, ...]
    spec: MigrationSpec | None
    migration: str

    def documents(self, evidence: str | None, conn: str | None) -> list[tuple[str, Any]]:
        """Return the source's documents.

        :raises NotFoundError: a spec was named, and its migration has no inventory.
        """
        from heavylift.access.documents import read_documents

        if self.spec is None:
            return [(str(path), read_documents(path)) for path in self.files]
        from heavylift.access.inventoried import inventoried
        from heavylift.aio import run
        from heavylift.cli.inventory_options import asked_by_spec
        from heavylift.evidence.store import open_evidence

        whose = asked_by_spec(self.files[0], evidence, conn)

        async def read() -> list[tuple[str, Any]]:
            async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
                return await inventoried(store, whose.migration, whose.connection.conn_id)

        return [*run(read()), *((str(path), read_documents(path)) for path in self.files[1:])]


def given_by(
    files: list[Path], source: str | None, target: str | None, names: Path | None, accounts: tuple[str, str],
    migration: str,
) -> Given:  # fmt: skip
    """Return what the command line means.

    :raises SpecError: neither one spec nor files and their platform.
    """
    from heavylift.access.model import Place
    from heavylift.access.names import read_names

    if source is not None:
        sides = Place(source, accounts[0]), Place(target or "", accounts[1])
        return Given(read_names(names, *sides), tuple(files), None, migration)
    if files[0].suffix.lower() not in _SPECS:
        raise SpecError(
            "reading the command line",
            got=f"{len(files)} files and no --source",
            expected="a spec (.yaml) first, or files of policies with --source and --target",
            state="nothing was touched",
            remedy="add --source aws, gcp, azure or kubernetes",
            code="8104",
        )
    from heavylift.spec.load import load_spec

    spec = load_spec(files[0])
    sides = (
        Place(spec.source.platform.value, accounts[0]),
        Place(target or spec.target.platform.value, accounts[1]),
    )
    return Given(read_names(names, *sides), tuple(files), spec, spec.migration)
