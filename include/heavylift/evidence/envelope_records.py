"""What was sealed in envelopes, opened, verified or wrapped anew; no key, wrapped or not, is in any record.

They lie under ``<migration>/~envelopes/<name>/``, for they hold for all runs of a migration. The rows of a
sealing are the manifest: with the digests of what was sealed, which only who may read evidence sees.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavylift.evidence.store import EvidenceStore

ENVELOPES_FOLDER = "~envelopes"

Act = Literal["seal", "open", "verify", "rewrap"]
Outcome = Literal["done", "equal", "failed", "would"]


@dataclass(frozen=True, slots=True)
class EnvelopeRow:
    """One object.

    :param name: below the prefix, as it was before it was sealed.
    :param sha256: of what was sealed; empty where it was not computed.
    :param digest_from: ``source``, or ``target`` where a sealing that was killed left no digest and the
        sealed object was opened to make one.
    :param key_id: tells the key file of the sealed object.
    :param sealed_bytes: size of the sealed object.
    """

    name: str
    outcome: Outcome
    size_bytes: int = 0
    sha256: str = ""
    digest_from: str = ""
    source_version: str = ""
    key_id: str = ""
    sealed_bytes: int = 0
    reason: str = ""
    code: str = ""


class EnvelopeRecord(Record):
    """One act on the sealed objects below one prefix.

    Adds up: ``found = done + equal + failed + planned``.

    :param key: the wrapping key, as its service names it; of a rewrapping: the new one.
    :param extra: sealed objects that no manifest names; told, and no failure.
    :param rows: Parquet; ``failures`` has the first that failed.
    :param sent_bytes: what went to the target in this act.
    """

    schema_version: Literal["heavylift/envelope/v1"] = "heavylift/envelope/v1"
    migration: str
    name: str
    act: Act
    source: str
    target: str
    key: str
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    found: int
    done: int
    equal: int
    failed: int
    planned: int = 0
    size_bytes: int
    sent_bytes: int = 0
    extra: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    rows: EvidenceRef | None = None
    passed: bool
    statement: str


def envelope_path(migration: str, name: str, act: Act, number: int) -> str:
    """Return the path of the ``number``-th record of an act, from 1."""
    return f"{_folder(migration, name)}/{act}-{number}.json"


def rows_path(migration: str, name: str, act: Act, number: int) -> str:
    """Return the path of its rows."""
    return f"{_folder(migration, name)}/{act}-{number}.parquet"


def _folder(migration: str, name: str) -> str:
    return f"{migration}/{ENVELOPES_FOLDER}/{safe_segment(name)}"


def envelope_rows(rows: Iterable[EnvelopeRow]) -> bytes:
    """Return rows as Parquet; the same rows make the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"size_bytes": pa.int64(), "sealed_bytes": pa.int64()}
    schema = pa.schema([(each.name, kinds.get(each.name, pa.string())) for each in fields(EnvelopeRow)])
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), sink, compression="zstd"
    )
    return sink.getvalue()


async def read_envelope_rows(store: EvidenceStore, ref: EvidenceRef) -> list[EnvelopeRow]:
    """Return the rows that a record refers to.

    :raises AuditError: the file is not what it was.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(await store.read_verified(ref)))
    return [EnvelopeRow(**row) for row in table.to_pylist()]
