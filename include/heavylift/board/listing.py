"""One listing of a migration's evidence, from which all that the board reads is picked."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from heavylift.evidence.runs import SeenRun, runs_in
from heavylift.evidence.store import EvidenceFile, EvidenceStore

_NUMBERED = re.compile(r"(?P<where>.*?)(?P<number>\d+)\.json")


@dataclass(frozen=True)
class Listing:
    """What a store shows of one migration at one moment.

    :param runs: the latest last.
    :param fingerprint: changes with every file that comes, goes or changes its size or time.
    """

    migration: str
    paths: tuple[str, ...]
    runs: tuple[SeenRun, ...]
    fingerprint: str

    @property
    def latest(self) -> dict[str, SeenRun]:
        """The latest run of each phase."""
        return {run.key.phase: run for run in self.runs}

    def only(self, phases: Collection[str]) -> Listing:
        """Return the listing without the runs of other phases than these."""
        kept = tuple(run for run in self.runs if run.key.phase in phases)
        hidden = {run.key.phase for run in self.runs} - set(phases)
        paths = tuple(path for path in self.paths if path.split("/")[1] not in hidden)
        return replace(self, runs=kept, paths=paths)

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the paths below a folder."""
        # "0" comes right after "/": the paths are sorted.
        return self.paths[bisect_left(self.paths, f"{folder}/") : bisect_left(self.paths, f"{folder}0")]

    def numbered(self, below: str, name: str) -> list[str]:
        """Return the numbered files below a folder whose path from there matches ``name``, in their order.

        :param name: a regular expression of the whole rest without number and ``.json``: ``summary-``.
        """
        wanted = re.compile(re.escape(f"{below}/") + f"(?:{name})")
        found = []
        for path in self.below(below):
            match = _NUMBERED.fullmatch(path)
            if match and wanted.fullmatch(match["where"]):
                found.append((match["where"], int(match["number"]), path))
        return [path for _, _, path in sorted(found)]

    def newest(self, below: str, name: str) -> list[str]:
        """Return the file with the highest number of each kind that :meth:`numbered` finds."""
        last: dict[str, str] = {}
        for path in self.numbered(below, name):
            match = _NUMBERED.fullmatch(path)
            if match:
                last[match["where"]] = path
        return list(last.values())


def listing_of(migration: str, files: Iterable[EvidenceFile]) -> Listing:
    """Return the listing that ``files`` are."""
    known = sorted(files, key=lambda file: file.path)
    digest = hashlib.sha256()
    for file in known:
        digest.update(f"{file.path}\0{file.size_bytes}\0{file.modified_at.timestamp()}\n".encode())
    paths = tuple(file.path for file in known)
    return Listing(migration, paths, tuple(runs_in(known, migration)), digest.hexdigest()[:20])


async def read_listing(store: EvidenceStore, migration: str) -> Listing:
    """List the evidence of ``migration``; changes nothing."""
    return listing_of(migration, [file async for file in store.files(migration)])
