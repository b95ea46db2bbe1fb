"""One secret: read, judged, written where need be, and compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from heavylift.errors import AlreadyExistsError, CredentialError, HeavyliftError
from heavylift.evidence.secret_records import SecretRow
from heavylift.platforms.control import DENIED
from heavylift.platforms.secrets import Dressing, Held, SecretStore
from heavylift.secret_values import Comparer, SecretValue
from heavylift.secrets.airflow import unreadable
from heavylift.secrets.naming import Mapped, target_key, unfit
from heavylift.secrets.requests import SecretsRequest
from heavylift.spec.sections_secrets import SecretConflict

_TRIES = 3
_LATE_SECONDS = (0, 0.2, 0.4, 0.8)
"""Stores may tell the version before for a moment: between looks at what was written."""


class Mover:
    """Moves and compares single secrets; a value lives for as long as one of these calls.

    :param sources: store → what is open.
    :param touching: called before the first write.
    """

    def __init__(
        self,
        request: SecretsRequest,
        sources: Mapping[str, SecretStore],
        target: SecretStore,
        touching: Callable[[], None],
    ) -> None:
        self._touching, self._touched = touching, False
        self._request, self._wanted = request, request.wanted
        self._sources, self._target = sources, target
        self._comparer = Comparer()

    async def copy(self, mapped: Mapped) -> SecretRow:
        """Bring one secret to the target, and tell what became of it; its own errors are part of that."""
        return await self._told(mapped, self._copied)

    async def verify(self, mapped: Mapped) -> SecretRow:
        """Compare one secret; writes nothing."""
        return await self._told(mapped, self._compared)

    async def _told(self, mapped: Mapped, act: Any) -> SecretRow:
        if mapped.refused:
            return row(mapped, "refused", reason=mapped.refused, remedy=mapped.remedy)
        try:
            found: SecretRow = await act(mapped)
        except HeavyliftError as error:
            if isinstance(error, CredentialError) and error.code != DENIED and not self._touched:
                raise  # who we are is refused: it is so for all of them, and nothing was written
            reason = f"{error.what}: got {error.got}, expected {error.expected}"
            return row(mapped, "failed", reason=reason, remedy=error.remedy, code=f"HL-{error.code}")
        return found

    async def _compared(self, mapped: Mapped) -> SecretRow:
        held = await self._sources[mapped.info.store].read(mapped.info.name)
        value, early = _readable(mapped, held)
        if value is None or held is None:
            return early
        found = await self._target.read(mapped.target)
        about = _about(held, value)
        if found is None or found.value is None:
            return row(mapped, "missing", reason="the target has no value", remedy="copy it", **about)
        equal = self._comparer.equal(value, found.value)
        about["target_version"] = found.info.version
        if equal:
            return row(mapped, "equal", equal=True, **about)
        why = "the values differ"
        return row(mapped, "different", equal=False, reason=why, remedy=_WHICH, **about)

    async def _copied(self, mapped: Mapped) -> SecretRow:
        held = await self._sources[mapped.info.store].read(mapped.info.name)
        value, early = _readable(mapped, held)
        if value is None or held is None:
            return early
        about = _about(held, value)
        why, remedy = unfit(value, self._target.store, self._wanted.binary)
        if not why and mapped.entry is not None:
            why, remedy = unreadable(mapped.entry, value), "store it as a URI or as JSON with conn_type"
        key, lacking = target_key(held.info, self._wanted, self._target.store)
        if not why and lacking:
            why, remedy = lacking, "name one in secrets.keys; default stands for the platform's own key"
        if why:
            return row(mapped, "refused", reason=why, remedy=remedy, **about)
        dressing = Dressing(
            self._request.run.migration,
            held.info.description,
            held.info.labels,
            key,
            self._wanted.target_regions,
        )
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._written(mapped, value, dressing, {**about, "key": key})
            except AlreadyExistsError:
                # Somebody was faster, or an answer was lost: what is there now is looked at.
                if attempt == _TRIES:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _written(
        self, mapped: Mapped, value: SecretValue, dressing: Dressing, about: dict[str, Any]
    ) -> SecretRow:
        found = await self._target.read(mapped.target)
        if found is not None and found.info.refused:
            why = f"on the target {found.info.refused}"
            return row(mapped, "refused", reason=why, remedy="restore or remove it there", **about)
        if found is not None and found.value is not None:
            about["target_version"] = found.info.version
            if self._comparer.equal(value, found.value):
                return row(mapped, "equal", equal=True, **about)
            if not found.info.ours and self._wanted.conflict is not SecretConflict.NEW_VERSION:
                return self._left(mapped, about)
        new = found is None or found.value is None
        if self._request.dry_run:
            return row(mapped, "to_create" if new else "to_update", **about)
        if not self._touched:
            self._touching()
        self._touched = True
        if found is None:
            about["target_version"] = await self._target.create(mapped.target, value, dressing)
        else:
            about["target_version"] = await self._target.replace(found, value, dressing)
        return await self._proved(mapped, value, "created" if new else "updated", about)

    def _left(self, mapped: Mapped, about: Mapping[str, Any]) -> SecretRow:
        why = "the target has another value that Heavylift did not write"
        if self._wanted.conflict is SecretConflict.SKIP:
            return row(mapped, "skipped", equal=False, reason=why, **about)
        return row(mapped, "different", equal=False, reason=why, remedy=_WHICH, **about)

    async def _proved(
        self, mapped: Mapped, value: SecretValue, outcome: Any, about: Mapping[str, Any]
    ) -> SecretRow:
        """Read what was written back, and compare: the store's own word that it took it is no proof."""
        for delay in _LATE_SECONDS:
            await asyncio.sleep(delay)
            there = await self._target.read(mapped.target)
            if there is not None and there.value is not None and self._comparer.equal(value, there.value):
                return row(mapped, outcome, equal=True, **about)
        why = "what the target gives back is not what was written"
        return row(mapped, "failed", equal=False, reason=why, remedy="run again; look who writes it", **about)


_WHICH = (
    "find out which is right; secrets.conflict: new_version writes the source's, skip leaves the target's"
)


def row(mapped: Mapped, outcome: Any, **more: Any) -> SecretRow:
    """Return what became of a secret."""
    info = mapped.info
    about = {"rotation": info.rotation, "expires": info.expires, **more}
    return SecretRow(
        source=info.name,
        source_store=info.store,
        target=mapped.target,
        outcome=outcome,
        airflow=mapped.entry.kind if mapped.entry else "",
        **about,
    )


def _readable(mapped: Mapped, held: Held | None) -> tuple[SecretValue | None, SecretRow]:
    if held is None:
        return None, row(mapped, "failed", reason="it was deleted since it was listed", remedy="run again")
    if held.info.refused:
        return None, row(mapped, "refused", reason=held.info.refused, remedy="leave it out, or mend it there")
    return held.value, row(mapped, "skipped", reason="it has no value on the source")


def _about(held: Held, value: SecretValue) -> dict[str, Any]:
    return {
        "form": "text" if value.text else "bytes",
        "source_version": held.info.version,
        "rotation": held.info.rotation,
        "expires": held.info.expires,
    }
