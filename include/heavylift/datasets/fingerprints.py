"""Hashes that tell whether two tables hold the same values, in whatever order.

A column's fingerprint is the sum of its values' 64-bit hashes: any changed value changes it.
The table's is the sum over rows of a hash over all columns: it also shows values that were
exchanged between rows. NULL adds nothing, so that a missing column equals one of NULLs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from heavylift.datasets.columns import Column, Kind


def value_hash(column: Column) -> str:
    """Return the SQL of the hash of one value; NULL where the value is."""
    name = column.sql
    plain = f"hash({name})"
    if column.kind is Kind.FLOAT:
        # The engine hashes 0.0 and -0.0 alike; their texts differ.
        plain = f"CASE WHEN {name} = 0 THEN hash(CAST({name} AS VARCHAR)) ELSE {plain} END"
    return f"CASE WHEN {name} IS NOT NULL THEN {plain} END"


def row_hash(columns: Sequence[Column]) -> str:
    """Return the SQL of the hash of one row; independent of the columns' order."""
    parts = [_salted(column) for column in columns]
    return f"hash({_xor(parts)})"


def _salted(column: Column) -> str:
    # Without the salt the same value in two columns would cancel itself out.
    salted = f"hash({value_hash(column)}, {_salt(column.name)})"
    return f"CASE WHEN {column.sql} IS NULL THEN 0::UBIGINT ELSE {salted} END"


def _xor(parts: Sequence[str]) -> str:
    """Return a balanced tree, for one that leans would be as deep as the table is wide."""
    if not parts:
        return "0::UBIGINT"
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"xor({_xor(parts[:middle])}, {_xor(parts[middle:])})"


def _salt(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return f"{int.from_bytes(digest[:8], 'big')}::UBIGINT"
