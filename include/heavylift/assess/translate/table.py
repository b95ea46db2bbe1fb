"""All types, of all platforms, and what a kind means where no row tells of the type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from heavylift.assess.translate.aws_rows import ROWS as AWS_ROWS
from heavylift.assess.translate.azure_rows import ROWS as AZURE_ROWS
from heavylift.assess.translate.gcp_rows import ROWS as GCP_ROWS
from heavylift.assess.translate.kubernetes_rows import ROWS as KUBERNETES_ROWS
from heavylift.assess.translate.native_rows import ROWS as NATIVE_ROWS
from heavylift.assess.translate.rows import HELD, Row
from heavylift.evidence.inventory_records import Kind

ROWS: Mapping[str, Row] = MappingProxyType(
    {**AWS_ROWS, **GCP_ROWS, **AZURE_ROWS, **KUBERNETES_ROWS, **NATIVE_ROWS}
)
"""Native type → its row."""

_HOLDS_DATA = frozenset({Kind.DATASET, Kind.DATABASE, Kind.VOLUME, Kind.IMAGE})
_NO_ROW = MappingProxyType({kind: Row("", HELD if kind in _HOLDS_DATA else False) for kind in Kind})

ACCELERATED = MappingProxyType(
    {
        "aws": re.compile(r"(?:ml\.)?(?:p\d|g\d|trn\d|inf\d|dl\d|vt\d)"),
        "gcp": re.compile(r"(?:a2|a3|a4|g2|g4|ct\w+)-"),
        "azure": re.compile(r"Standard_N", re.IGNORECASE),
    }
)
"""Names of instance types that have accelerators even where no table knows the type."""


def row_of(native_type: str, kind: Kind) -> Row:
    """Return what a type means to a plan; of a type without a row what its kind alone tells."""
    return ROWS.get(native_type) or _NO_ROW[kind]
