"""What a dashboard shows, whichever platform it is of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heavylift.alerts.model import Rule


class Kind(StrEnum):
    """Of a widget."""

    LINES = "lines"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True)
class Widget:
    """A part of a dashboard, on a grid of 24 columns.

    :param queries: what it shows, each as a rule of which metric, labels, aggregation and period count.
    """

    kind: Kind
    title: str
    queries: tuple[Rule, ...] = ()
    text: str = ""
    x: int = 0
    y: int = 0
    width: int = 12
    height: int = 6


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    title: str
    widgets: tuple[Widget, ...]


COLUMNS = 24


def silent(title: str, what: str, place: Widget) -> Widget:
    """Return the text that stands where a widget could not be translated."""
    told = f"**{title or 'A widget'}** was not translated: {what}."
    return Widget(Kind.TEXT, title, (), told, place.x, place.y, place.width, place.height)
