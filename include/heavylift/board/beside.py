"""What has no section of its own on the board: the newest of each kind, each in a line."""

from __future__ import annotations

from collections.abc import Collection

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.report.beside import Told, find, told


async def read_beside(
    reader: Reader, listing: Listing, phases: Collection[str] | None = None
) -> tuple[Told, ...]:
    """Return what the latest run of each phase has left, then what belongs to the migration.

    :param phases: of what belongs to the migration only what is told in these; all where None.
    """
    found = [
        each
        for run in listing.latest.values()
        for each in find(listing.below(run.key.folder), run.key.folder, of_run=True)
    ]
    found += [
        each
        for each in find(listing.paths, listing.migration, of_run=False)
        if each.teller.shown and (phases is None or each.teller.phases & set(phases))
    ]
    rows = []
    for each in found:
        record = await reader.record(each.path, each.teller.model)
        if record is not None:
            rows.append(told(each, record))
    return tuple(rows)
