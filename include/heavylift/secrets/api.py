"""What operators and commands call: list, copy and compare secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Literal

from heavylift.errors import IncompleteError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import utc_now
from heavylift.evidence.secret_records import NOT_PROVED, SecretRow, SecretsRecord
from heavylift.secrets.moving import Mover, row
from heavylift.secrets.naming import Mapped, mapped, unmatched
from heavylift.secrets.opening import open_stores, source_stores, target_store
from heavylift.secrets.requests import SecretsRequest

PARALLEL = 8
"""Secrets on the way at once; so many values are in memory at most, twice."""
_SHOWN = 5
Act = Literal["list", "copy", "verify"]


async def list_secrets(request: SecretsRequest) -> SecretsRecord:
    """Tell which secrets would move, and what they would be called; shows no value.

    :raises CredentialError: the source refuses the credentials, or the right to list.
    """
    return await _all(request, "list")


def untold() -> None:
    """Tell nobody that something is written."""


async def copy_secrets(request: SecretsRequest, touching: Callable[[], None] = untold) -> SecretsRecord:
    """Copy all chosen secrets to the target, compare each there, and tell what became of each.

    Idempotency: what is equal on both sides is left as it is; a run after a kill does only the rest. What the
    target holds and Heavylift did not write is overwritten only with ``conflict: new_version``. One secret
    that fails does not keep the others.

    :param touching: called before the first write.
    :raises CredentialError: the source refuses the credentials, or the right to list.
    :raises ConnectionConfigError: a connection lacks a field.
    """
    return await _all(request, "copy", touching)


async def verify_secrets(request: SecretsRequest) -> SecretsRecord:
    """Read all chosen secrets on both sides and compare them; changes nothing.

    :raises CredentialError: as :func:`copy_secrets`.
    """
    return await _all(request, "verify")


async def _all(request: SecretsRequest, act: Act, touching: Callable[[], None] = untold) -> SecretsRecord:
    started = utc_now()
    store = target_store(request)
    async with (
        open_stores(request.source, source_stores(request)) as sources,
        open_stores(request.target, [store]) as targets,
    ):
        found = [info for each in sources.values() async for info in each.listed()]
        chosen = mapped(found, request.wanted, request.platforms[0], store)
        mover = Mover(request, sources, targets[store], touching)
        does = {"list": _listed, "copy": mover.copy, "verify": mover.verify}
        rows = await _each(chosen, does[act])
    rows += [_nothing(pattern) for pattern in unmatched(found, request.wanted)]
    return _record(request, act, store, rows, started)


async def _listed(each: Mapped) -> SecretRow:
    if each.refused:
        return row(each, "refused", reason=each.refused, remedy=each.remedy)
    return row(each, "to_create")


def _nothing(pattern: str) -> SecretRow:
    """Return the row of a pattern that chose nothing: what somebody named has not moved."""
    return SecretRow(
        source=pattern,
        source_store="",
        target="",
        outcome="missing",
        reason="no secret that the connection lists is called so",
        remedy="correct secrets.include, or the connection's region",
    )


async def _each(chosen: Iterable[Mapped], act: Callable[[Mapped], Awaitable[SecretRow]]) -> list[SecretRow]:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(each: Mapped) -> SecretRow:
        async with limit:
            return await act(each)

    tasks = [asyncio.ensure_future(one(each)) for each in chosen]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _record(
    request: SecretsRequest, act: Act, store: str, rows: list[SecretRow], started: datetime
) -> SecretsRecord:
    def count(*outcomes: str) -> int:
        return sum(each.outcome in outcomes for each in rows)

    content = [each.model_dump(mode="json") for each in rows]
    failed = count(*NOT_PROVED)
    return SecretsRecord(
        run=request.run,
        act=act,
        started_at=started,
        source=f"{request.platforms[0]}:{request.source.conn_id}",
        target=f"{request.platforms[1]}:{request.target.conn_id}",
        target_store=store,
        found=len(rows),
        created=count("created"),
        updated=count("updated"),
        equal=count("equal"),
        skipped=count("skipped"),
        failed=failed,
        planned=count("to_create", "to_update"),
        digest=sha256_hex(canonical_json({"rows": content})),
        passed=not failed,
        rows=tuple(rows),
    )


def require_all(record: SecretsRecord) -> None:
    """Do nothing where every secret is where it should be.

    :raises IncompleteError: some are not; the first are named.
    """
    if record.passed:
        return
    wrong = [each for each in record.rows if each.outcome in NOT_PROVED]
    named = "; ".join(f"{each.source}: {each.outcome}, {each.reason}" for each in wrong[:_SHOWN])
    raise IncompleteError(
        f"{record.act} of secrets",
        got=f"{record.failed} of {record.found} that are not proved ({named})",
        expected="every secret equal on both sides",
        state=f"{record.created} created, {record.updated} updated, {record.equal} equal before; all stay",
        remedy=wrong[0].remedy or "see the record's rows for each secret's remedy",
        code="8816",
    )
