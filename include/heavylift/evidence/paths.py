"""Where each kind of evidence lies, and which texts may be part of a path.

Paths are relative to the evidence store's root. Their segments use only characters that no
store, URL or shell needs to encode (RFC 3986 "unreserved"), so that a path reads the same
in a bucket, in a folder and in a report. ``docs/reference/evidence.md`` shows the tree.
"""

from __future__ import annotations

import hashlib
import re

from heavylift.errors import PermanentError
from heavylift.evidence.records import RunKey

MAX_SEGMENT = 120
"""Longest segment, in characters; file systems stop at 255 bytes."""

MAX_PATH = 800
"""Longest path, in characters; S3 stops at 1,024 bytes with the root's prefix."""

_SEGMENT = re.compile(r"[A-Za-z0-9_~-](?:[A-Za-z0-9._~-]*[A-Za-z0-9_~-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_ESCAPE = re.compile(r"(?:~[0-9A-F]{2})+")
_FOLDERS_OF_A_RUN = frozenset({"gates", "approvals", "databases"})


def safe_segment(text: str) -> str:
    """Return ``text`` as one path segment; different texts give different segments.

    Unsafe characters become ``~`` and two hex digits for each UTF-8 byte, as does a dot at
    either end. What grows beyond :data:`MAX_SEGMENT` is cut and ends in ``~~`` and 32 hex
    digits of its SHA-256. Give it raw names only: ``~`` itself is encoded.
    """
    encoded = _UNSAFE.sub(lambda found: _hex(found.group()), text)
    if encoded.startswith("."):
        encoded = "~2E" + encoded[1:]
    if encoded.endswith("."):
        encoded = encoded[:-1] + "~2E"
    if len(encoded) > MAX_SEGMENT:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        encoded = f"{encoded[: MAX_SEGMENT - 34]}~~{digest}"
    return encoded or "~"


def original_text(segment: str) -> str | None:
    """Return the text that :func:`safe_segment` encoded, or None where it was cut or is no such encoding."""
    if "~~" in segment:
        return None
    if segment == "~":
        return ""
    try:
        return _ESCAPE.sub(
            lambda found: bytes.fromhex(found.group().replace("~", "")).decode("utf-8", "surrogatepass"),
            segment,
        )
    except UnicodeDecodeError:
        return None


def _hex(text: str) -> str:
    return "".join(f"~{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def check_path(path: str) -> str:
    """Return ``path`` if it can be a path in the evidence store.

    :raises PermanentError: absolute, empty, too long, ``.`` or ``..``, or unsafe characters.
    """
    segments = path.split("/")
    if len(path) <= MAX_PATH and all(_is_segment(segment) for segment in segments):
        return path
    raise PermanentError(
        "naming a piece of evidence",
        got=repr(path[: MAX_PATH + 1]),
        expected="a relative path of segments of letters, digits, '.', '_', '-' and '~'",
        state="nothing was written or read",
        remedy="pass names that users chose through heavylift.evidence.paths.safe_segment",
        code="4001",
    )


def _is_segment(segment: str) -> bool:
    return len(segment) <= MAX_SEGMENT and _SEGMENT.fullmatch(segment) is not None


def dataset_folder(run: RunKey, dataset: str) -> str:
    """Return the folder of one dataset in a run; a dataset called ``gates`` is no trouble."""
    name = f"~{dataset}" if dataset in _FOLDERS_OF_A_RUN else safe_segment(dataset)
    return f"{run.folder}/{name}"


def dataset_of_folder(name: str) -> str:
    """Return the dataset whose folder in a run is called ``name``."""
    if name.removeprefix("~") in _FOLDERS_OF_A_RUN:
        return name.removeprefix("~")
    return original_text(name) or name


def plan_path(run: RunKey, dataset: str) -> str:
    """Return the path of a dataset's :class:`PlanRecord`."""
    return f"{dataset_folder(run, dataset)}/plan.json"


def plan_rows_path(run: RunKey, dataset: str) -> str:
    """Return the path of the Parquet with one row for each planned object."""
    return f"{dataset_folder(run, dataset)}/plan.parquet"


def shards_folder(run: RunKey, dataset: str) -> str:
    """Return the folder of all shards of a dataset."""
    return f"{dataset_folder(run, dataset)}/shards"


def shard_folder(run: RunKey, dataset: str, shard: int) -> str:
    """Return the folder of one shard, which holds a folder for each attempt."""
    return f"{shards_folder(run, dataset)}/{shard:05d}"


def attempt_folder(run: RunKey, dataset: str, shard: int, attempt: int) -> str:
    """Return the folder of one attempt at one shard."""
    return f"{shard_folder(run, dataset, shard)}/{attempt:03d}"


def shard_result_path(run: RunKey, dataset: str, shard: int, attempt: int) -> str:
    """Return the path of one attempt's :class:`ShardResult`."""
    return f"{attempt_folder(run, dataset, shard, attempt)}/result.json"


def manifest_path(run: RunKey, dataset: str, shard: int, attempt: int, number: int) -> str:
    """Return the path of manifest ``number`` of one attempt."""
    return f"{attempt_folder(run, dataset, shard, attempt)}/manifest-{number}.parquet"


def verification_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of a dataset's ``number``-th :class:`VerificationRecord`, from 1."""
    return f"{dataset_folder(run, dataset)}/verification-{number}.json"


def deletes_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of a dataset's ``number``-th :class:`DeletesRecord`, from 1."""
    return f"{dataset_folder(run, dataset)}/deletes-{number}.json"


def two_way_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of a dataset's ``number``-th :class:`TwoWayRecord`, from 1."""
    return f"{dataset_folder(run, dataset)}/two-way-{number}.json"


def two_way_rows_path(run: RunKey, dataset: str, attempt: int, what: str) -> str:
    """Return the path of the Parquet that an attempt at a two-way sync writes.

    :param what: ``planned``, written before anything is touched, or ``done``.
    """
    return f"{dataset_folder(run, dataset)}/two-way/{attempt:03d}-{what}.parquet"


def verification_rows_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of the Parquet with the differences of a verification."""
    return f"{dataset_folder(run, dataset)}/verification-{number}.parquet"


def check_record_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of a dataset's ``number``-th :class:`DatasetCheckRecord`, from 1."""
    return f"{dataset_folder(run, dataset)}/check-{number}.json"


def gate_folder(run: RunKey, gate: str) -> str:
    """Return the folder of all evaluations of one gate in a run."""
    return f"{run.folder}/gates/{safe_segment(gate)}"


def gate_path(run: RunKey, gate: str, number: int) -> str:
    """Return the path of the ``number``-th :class:`GateResult` of a gate, from 1."""
    return f"{gate_folder(run, gate)}/{number}.json"


def approvals_folder(run: RunKey, gate: str) -> str:
    """Return the folder of all answers to one gate in a run."""
    return f"{run.folder}/approvals/{safe_segment(gate)}"


def approval_path(run: RunKey, gate: str, number: int) -> str:
    """Return the path of the ``number``-th :class:`Approval` of a gate, from 1."""
    return f"{approvals_folder(run, gate)}/{number}.json"


def summary_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`PhaseSummary`, from 1."""
    return f"{run.folder}/summary-{number}.json"


def report_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th report, from 1."""
    return f"{run.folder}/report-{number}.html"


def state_folder(migration: str, dataset: str) -> str:
    """Return the folder of a dataset's sync state, which all runs of a migration share."""
    return f"{migration}/state/{safe_segment(dataset)}"


def audit_folder(migration: str) -> str:
    """Return the folder of a migration's audit trail."""
    return f"{migration}/audit"


def databases_folder(run: RunKey) -> str:
    """Return the folder of all databases of a run."""
    return f"{run.folder}/databases"


def database_path(run: RunKey, database: str, kind: str, number: int) -> str:
    """Return the path of a database's ``number``-th record of a kind, from 1.

    :param kind: ``preflight``, ``snapshot``, ``sync``, ``drain``, ``verification``, ``reverse``,
        ``end``, ``anew``.
    """
    return f"{databases_folder(run)}/{safe_segment(database)}/{kind}-{number}.json"


def database_differences_path(run: RunKey, database: str, number: int) -> str:
    """Return the path of the Parquet with the rows that a verification found to differ."""
    return f"{databases_folder(run)}/{safe_segment(database)}/verification-{number}.parquet"
