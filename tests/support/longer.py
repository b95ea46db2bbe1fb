"""Which of a test's parameters are run only by ``./dev test --all``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_then_long(values: Iterable[Any], first: int = 1) -> list[Any]:
    """Return the parameters of a test, all but the first marked ``long``; a tuple is a set of arguments.

    :param first: so many are not ``long``.
    """
    every = list(values)
    return [
        *every[:first],
        *(
            pytest.param(*(each if isinstance(each, tuple) else (each,)), marks=pytest.mark.long)
            for each in every[first:]
        ),
    ]
