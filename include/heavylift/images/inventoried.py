"""The images that an inventory names, wherever the platform's answers do."""

from __future__ import annotations

import re
from pathlib import Path

from heavylift.errors import SpecError

_ROWS_AT_ONCE = 10_000
_REST = r"[a-z0-9][a-z0-9._/-]*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[a-f0-9]{64})?"


def images_in(path: Path, host: str) -> tuple[str, ...]:
    """Return every image of a registry that an inventory's file names, sorted.

    :param path: a file of components or references, as ``heavylift inventory`` keeps them as evidence.
    :raises SpecError: it is no such file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pattern = re.compile(rf"(?<![\w./-]){re.escape(host)}/{_REST}")
    found: set[str] = set()
    try:
        with pq.ParquetFile(path) as file:
            texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=texts):
                for column in batch.columns:
                    for text in column.to_pylist():
                        found.update(match[0].rstrip(".-/") for match in pattern.finditer(text or ""))
    except (OSError, pa.ArrowException) as error:
        raise SpecError(
            f"reading the inventory {path}",
            got=type(error).__name__,
            expected="a Parquet file of components or references that heavylift inventory has kept",
            state="nothing was touched",
            remedy="name that file; heavylift inventory tells where its evidence lies",
            code="9178",
        ) from None
    return tuple(sorted(found))
