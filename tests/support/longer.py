"""Which of a test's parameters are run only by ``./dev test --all``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_then_long(values: Iterable[Any]) -> list[Any]:
    """Return the parameters of a test, all but the first marked ``long``; a tuple is a set of arguments."""
    first, *others = values
    return [
        first,
        *(
            pytest.param(*(each if isinstance(each, tuple) else (each,)), marks=pytest.mark.long)
            for each in others
        ),
    ]
