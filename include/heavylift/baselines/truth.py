"""Golden rows whose truth is known, in one kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.errors import SpecError
from heavylift.scoring.golden import Golden, taken


@dataclass(frozen=True)
class Known:
    """Golden rows with labels.

    :param truth: of each row: numbers, truth values or texts.
    :param unlabelled: rows that were left out, for they have none.
    """

    golden: Golden
    truth: NDArray[Any]
    sha256: str
    origin: str
    unlabelled: int

    @property
    def binary(self) -> bool:
        """Whether there are two labels."""
        return len(np.unique(self.truth)) == 2


def known_rows(golden: Golden, sha256: str, origin: str) -> Known:
    """Return the rows that have a label.

    :raises SpecError: none has, or the file has no columns.
    """
    truth = golden.truth
    labelled = np.zeros(0, dtype=np.intp) if truth is None else np.flatnonzero(_has_value(truth))
    if truth is None or not len(labelled):
        raise SpecError(
            f"reading golden inputs {origin}",
            got="no row with a label",
            expected="a table with columns, and a label in at least one row",
            state="nothing was sent",
            remedy="correct label of the golden inputs, or the file",
            code="9121",
        )
    kept = taken(golden, labelled)
    return Known(kept, _plain(truth[labelled]), sha256, origin, golden.rows - len(labelled))


def _has_value(truth: NDArray[Any]) -> NDArray[np.bool_]:
    # Only what is missing differs from itself, apart from None.
    return np.array([each is not None and each == each for each in truth], dtype=bool)


def _plain(truth: NDArray[Any]) -> NDArray[Any]:
    if truth.dtype != object:
        return truth if truth.dtype.kind in "biuf" else truth.astype(str)
    made = np.array(truth.tolist())
    return made if made.dtype.kind in "biufU" else np.array([str(each) for each in truth])
