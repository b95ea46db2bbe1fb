"""Keeps what was copied in the evidence store: names and outcomes, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift.evidence.moved import keep_moved, note_moving
from heavylift.evidence.secret_records import SecretsRecord, secrets_path

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore


async def keep_secrets(
    store: EvidenceStore, record: SecretsRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a record under the run's next number, and note it in the audit trail; overwrites nothing."""
    return await keep_moved(store, record, secrets_path, "secrets", actor, attempt)


async def note_begin(
    store: EvidenceStore, run: RunKey, actor: str, attempt: Mapping[str, Any] | None = None
) -> None:
    """Note in the audit trail that secrets are about to be copied; a killed run leaves at least that."""
    await note_moving(store, run, "secrets", actor, attempt)
