"""Moves a registry's artifacts with the mover of objects: each pair of prefixes is a dataset of its own.

At store level they move beside the rows, in one process for all prefixes, which is forked before the rows
begin. It lists nothing before the moment of the source that the rows are taken at: whatever those rows name
is there by then. What one process can copy as fast as several it also copies and proves; of the rest it
makes the plans, which are carried out after the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.cli.output import note
from heavylift.cli.processes import Ended, Pieces, may_fork
from heavylift.errors import HeavyliftError
from heavylift.spec.sections_data import RegistryPath

if TYPE_CHECKING:
    from heavylift.evidence.records import PlanRecord, VerificationRecord
    from heavylift.objects.requests import TransferRequest
    from heavylift.registry.requests import RegistryRequest

Moved = tuple[list[dict[str, Any]], bool]
"""A document for each pair of prefixes, and whether all is well."""
_PREFIXES_AT_ONCE = 4
_MOMENT_IS_HELD = b"g"


@dataclass(frozen=True)
class _Done:
    """What one process has made of a pair of prefixes.

    :param proof: None where only the plan is made: there is work for several processes.
    """

    plan: PlanRecord
    errors: Sequence[HeavyliftError] = ()
    proof: VerificationRecord | None = None


def move_artifacts(
    request: RegistryRequest, source_conn: str | None, target_conn: str | None, evidence_conn: str | None
) -> Moved:
    """Copy and verify the artifacts below each prefix.

    Without connections nothing is moved, and the commands that do are told.
    """
    with artifacts_beside(request, source_conn, target_conn, evidence_conn) as beside:
        return beside.moved()


@contextmanager
def artifacts_beside(
    request: RegistryRequest, source_conn: str | None, target_conn: str | None, evidence_conn: str | None
) -> Generator[Beside]:
    """Get ready to move artifacts while something else goes on; leaving the block ends what still runs.

    Nothing is read before :meth:`Beside.begin` is called, and nothing at all at the interface's level, where
    artifacts move with their runs.
    """
    pairs = request.options.uris.changing
    wanted = source_conn is not None or target_conn is not None
    transfers = []
    if wanted and _may_be_store_level(request):
        transfers = [_transfer(request, *pair, source_conn, target_conn, evidence_conn) for pair in pairs]
    with Pieces() as pieces:
        beside = Beside(request, transfers, pieces)
        try:
            yield beside
        finally:
            beside.close()


class Beside:
    """The artifacts of one move of a registry, in a process that waits for the moment of the rows."""

    def __init__(self, request: RegistryRequest, transfers: list[TransferRequest], pieces: Pieces) -> None:
        self._request = request
        self._transfers = transfers
        self._pieces = pieces
        self._gate: int | None = None
        if transfers and may_fork():
            reading, self._gate = os.pipe()
            pieces.start(0, _after(reading, self._gate, transfers), lambda _news: None)
            os.close(reading)

    def begin(self) -> None:
        """Let the artifacts move; more than once does no harm."""
        if self._gate is not None:
            os.write(self._gate, _MOMENT_IS_HELD)
            self.close()

    def close(self) -> None:
        """Let go of what :meth:`begin` would have used."""
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def moved(self) -> Moved:
        """Wait for the artifacts, carry out what is left to several processes, and tell what came of it.

        :raises HeavyliftError: a plan or a verification could not be made.
        """
        pairs = self._request.options.uris.changing
        if not self._transfers:
            for source, target in pairs:
                note(f"artifacts are not moved; do it with: heavylift objects sync {source} {target} …")
            return [], True
        self.begin()
        documents = [
            _document(pair, _finished(transfer, done))
            for pair, transfer, done in zip(pairs, self._transfers, self._planned(), strict=True)
        ]
        return documents, all(each["passed"] for each in documents)

    def _planned(self) -> list[_Done]:
        from heavylift.cli.processes import in_process

        if len(self._pieces):
            ((_, ended),) = self._pieces.wait()
            return _value(ended)
        # Where nothing can be forked it is done here, one after the other.
        return in_process(lambda _tell: _move_small(self._transfers))


def _value(ended: Ended) -> list[_Done]:
    found: list[_Done] = ended.value()
    return found


def _may_be_store_level(request: RegistryRequest) -> bool:
    if request.options.path is RegistryPath.STORE:
        return True
    both = request.source.store is not None and request.target.store is not None
    return both and request.options.path is not RegistryPath.API


def _after(
    reading: int, writing: int, transfers: list[TransferRequest]
) -> Callable[[Callable[[Any], None]], list[_Done]]:
    def piece(_tell: Callable[[Any], None]) -> list[_Done]:
        # Held open here, it would never end.
        os.close(writing)
        # Imported while the rows are being looked at.
        from heavylift.objects import copy, plan, verify  # noqa: F401

        return _move_small(transfers) if os.read(reading, 1) == _MOMENT_IS_HELD else []

    return piece


def _move_small(transfers: list[TransferRequest]) -> list[_Done]:
    """Plan all transfers, and finish those that a single process can finish as fast as several."""
    import asyncio

    from heavylift.aio import run

    async def all_of_them() -> list[_Done]:
        turns = asyncio.Semaphore(_PREFIXES_AT_ONCE)

        async def one(transfer: TransferRequest) -> _Done:
            async with turns:
                return await _small(transfer)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in transfers]
        return [task.result() for task in tasks]

    try:
        return run(all_of_them())
    except BaseExceptionGroup as group:
        # The others were ended in order; the first is what went wrong.
        raise group.exceptions[0] from None


async def _small(transfer: TransferRequest) -> _Done:
    from heavylift.objects.api import copy_shard, plan_transfer, verify_transfer

    plan = await plan_transfer(transfer)
    if len(plan.shards) > 1:
        return _Done(plan)
    errors = []
    for shard in plan.shards:
        try:
            await copy_shard(transfer, shard.index, 1, lambda _progress: None)
        except HeavyliftError as error:
            note(str(error))
            errors.append(error)
    return _Done(plan, errors, await verify_transfer(transfer))


def _finished(transfer: TransferRequest, done: _Done) -> _Done:
    from heavylift.aio import run
    from heavylift.cli.copying import copy_shards, room_for
    from heavylift.cli.processes import in_process
    from heavylift.objects.api import verify_transfer

    if done.proof is not None:
        return done
    copied = copy_shards(transfer, done.plan, wait=True, room=room_for(transfer))
    return _Done(done.plan, copied.errors, in_process(lambda _tell: run(verify_transfer(transfer))))


def _transfer(
    request: RegistryRequest,
    source: str,
    target: str,
    source_conn: str | None,
    target_conn: str | None,
    evidence_conn: str | None,
) -> TransferRequest:
    from heavylift.cli.copying import processes_for, spread_over
    from heavylift.cli.objects_options import request_of
    from heavylift.objects.requests import TransferOptions

    migration, url = request.run.migration, request.evidence_url
    made: TransferRequest = request_of(
        source, target, source_conn, target_conn, url, evidence_conn, migration, TransferOptions(), "sync"
    )
    return spread_over(made, processes_for(made))


def _document(pair: tuple[str, str], done: _Done) -> dict[str, Any]:
    proof = done.proof
    return {
        "source": pair[0],
        "target": pair[1],
        "passed": proof is not None and proof.passed and not done.errors,
        "plan": done.plan.model_dump(mode="json", include={"found", "to_copy", "unchanged", "refused"}),
        "errors": [error.attrs() for error in done.errors],
        "verification": proof.model_dump(mode="json") if proof is not None else None,
    }
