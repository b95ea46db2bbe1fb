"""Work in processes of its own: for several cores, or to give memory back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """Call a function of a module in a fresh process and return its result."""
    return all_apart(work, [arguments])[0]


def all_apart(work: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> list[T]:
    """Make several calls at the same time, each in a fresh process."""
    listed = list(calls)
    with ProcessPoolExecutor(len(listed), mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(work, *call) for call in listed]]
