"""What a model answered, as named columns of one kind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCORES = "score:"
"""Columns with the probability of a class, in the order of the classes, are called so."""

MISSING = "<missing>"
"""Stands for no answer among texts: a model may well answer ``nan`` or ``None``."""


@dataclass(frozen=True)
class Outputs:
    """Answers to a number of rows.

    :param columns: name → one value a row: floats, or labels (whole numbers, texts, truth values).
    """

    columns: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return min((len(each) for each in self.columns.values()), default=0)

    @property
    def scores(self) -> list[NDArray[Any]]:
        """The columns with probabilities of classes."""
        return [v for name, v in self.columns.items() if name.startswith(SCORES) and is_float(v)]

    @property
    def answer(self) -> NDArray[Any] | None:
        """The column that a metric judges: the first that is not a score."""
        named = [values for name, values in self.columns.items() if not name.startswith(SCORES)]
        return named[0] if named else None

    @property
    def positive(self) -> NDArray[Any] | None:
        """The score of the positive class: the last of two, or the answer where that is a number."""
        scores = self.scores
        if scores:
            return scores[-1] if len(scores) <= 2 else None
        answer = self.answer
        return answer if answer is not None and is_float(answer) else None


def ordered(outputs: Outputs, like: Outputs) -> Outputs:
    """Return the columns in the order of another's, where they are called alike: named columns have none."""
    if list(outputs.columns) == list(like.columns) or set(outputs.columns) != set(like.columns):
        return outputs
    return Outputs({name: outputs.columns[name] for name in like.columns})


@dataclass(frozen=True)
class Predicted:
    """Answers to all rows.

    :param notes: what the model could not tell.
    """

    outputs: Outputs
    seconds: float
    notes: tuple[str, ...] = ()


def is_float(values: NDArray[Any]) -> bool:
    """Tell whether a column holds measured numbers, for which there is a tolerance."""
    return bool(np.issubdtype(values.dtype, np.floating))
