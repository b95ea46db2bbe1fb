"""The port of a feature store: what it holds, what it serves, and what may be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from heavylift.registry.catalogues.marks import Origin
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History, View

Key = tuple[object, ...]


@dataclass(frozen=True)
class HeldView:
    """A view as a store holds it.

    :param origin: what it is a copy of, if Heavylift made it.
    :param asked: the URI that whoever made it gave for its history, where the store chose a place below it.
    """

    view: View
    history: History = field(default_factory=History)
    origin: Origin | None = None
    asked: str = ""


@dataclass(frozen=True)
class Served:
    """What an online store answers for one key.

    :param values: by feature; None where it knows nothing of the key.
    :param event_seconds: of the row that is served, since 1970; None where that is not told.
    """

    values: Mapping[str, object] | None = None
    event_seconds: float | None = None


class FeatureStore(Protocol):
    """A feature store."""

    capabilities: FeatureCapabilities

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    def read(self) -> list[HeldView]:
        """Return all views."""
        ...

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return what it has besides views that can be moved: what, why it stays, how many."""
        ...

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Make a view, or bring one of ours up to date; safe to repeat.

        :return: URI where its history lies.
        """
        ...

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Put rows of a Parquet file into the online store.

        :param history: how the file holds them.

        :return: how many rows were sent.
        """
        ...

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Return what is served for keys, in their order."""
        ...

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Let the store itself join a frame of keys and times with the history.

        :param answer: the Parquet file that is written.
        :return: whether it can.
        """
        ...

    def close(self) -> None:
        """End what was started."""
        ...
