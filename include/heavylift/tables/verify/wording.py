"""What a comparison proves, in words, for records and logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from heavylift.evidence.table_records import TableComparison
from heavylift.evidence.wording import counted, enumeration
from heavylift.tables.verify.plan import Digest, Plan

Mode = Literal["frozen", "snapshot", "settled"]

_DIGESTS = {
    Digest.HASH: "a 64-bit hash of all columns with a random seed, computed in both databases (a differing"
    " range goes unnoticed once in 2^64)",
    Digest.MD5: "60 bits of the MD5 of all columns with a random seed, computed in both databases (a"
    " differing range goes unnoticed once in 2^60)",
}
_MODES = {
    "frozen": "while nobody wrote to them",
    "snapshot": "as both were at position {position}",
    "settled": "while they were written to: what differed was looked at again until it held or went away",
}


def method(plan: Plan) -> str:
    """Return how a table's rows were compared."""
    by = f"by key ({', '.join(plan.key)})" if plan.key else "as a multiset, for no key names a row"
    return f"{_DIGESTS[plan.digest]}; summed over {counted(plan.buckets, 'range')}, rows matched {by}"


def statement(tables: Sequence[TableComparison], mode: Mode, position: str = "") -> str:
    """Return what is proved, in a sentence; nothing is proved of tables that are not equal."""
    unequal = [each.table for each in tables if not each.is_equal]
    if unequal:
        return f"{counted(len(unequal), 'table')} of {len(tables)} not equal: {enumeration(unequal)}"
    rows = sum(each.source_rows for each in tables)
    when = _MODES[mode].format(position=position)
    whole = f"{counted(len(tables), 'table')} with {counted(rows, 'row')} compared {when}"
    parts = sum(each.not_compared for each in tables)
    if parts:
        return (
            f"{whole}: all rows were counted, {rows - parts:,} of them compared in ranges drawn at random,"
            " and no difference found; each table's note has the bound"
        )
    return f"{whole}: every row is on both sides with the same values in all columns"
