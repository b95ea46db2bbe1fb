"""How far each dataset's sync has come: the last entry of its state, for people."""

from __future__ import annotations

from heavylift.evidence.paths import original_text
from heavylift.evidence.records import Record
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore


class Watermark(Record):
    """What one dataset's last verification has left behind.

    :param listed_at: when its listing of the source began; what the source did until then is in
        the state. Empty for states of versions before 0.2.
    :param root: the root of the hash tree over the inventory.
    """

    dataset: str
    listed_at: str = ""
    verified_at: str
    root: str = ""
    objects: int = 0
    size_bytes: int = 0
    run: str


async def read_watermarks(store: EvidenceStore, migration: str) -> list[Watermark]:
    """Return the watermarks of a migration's datasets, by name; changes nothing.

    :raises AuditError: a state log is damaged.
    """
    names = await store.names(f"{migration}/state")
    datasets = sorted({name.split("/")[2] for name in names})
    found: list[Watermark] = []
    for folder in datasets:
        dataset = original_text(folder) or folder
        state = await StateLog(store, migration, dataset).latest()
        if state is not None:
            found.append(_of(dataset, state))
    return found


def _of(dataset: str, state: dict[str, object]) -> Watermark:
    kept = {name: state[name] for name in ("listed_at", "root", "objects", "size_bytes") if name in state}
    return Watermark.model_validate(
        {"dataset": dataset, "verified_at": state["at"], "run": state["run"], **kept}
    )
