"""A server that is filled with what is hard to carry, and the words, keys and numbers for it."""

from __future__ import annotations

import random
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from tests.support.tracking_server import Server

WORDS = (
    "🧪 Ünï",
    "line\nbreak\ttab",
    'it\'s "quoted" `back`',
    "100 % %2F %41 + & ? #",
    "a\\b/c//d",
    "漢字 العربية \u200d👩\u200d🔬",
    " leading and trailing ",
    "{json: [1, 2]} <b>&amp;</b>",
)
KEYS = ("a/b.c-d_e f:g", "Ключ 漢", "k" * 250, "-", "loss")
NUMBERS: tuple[float | str, ...] = (
    *("NaN", "Infinity", "-Infinity", 0.0, -0.0, 5e-324, 1.7976931348623157e308),
    *(0.1, 1 / 3, -1e-300, 123456789012345680.0),
)
FILES = (
    "plain.txt",
    "a b/c d.bin",
    "ü/漢字.json",
    "per%20cent 100%.txt",
    "plus+and&equals=.txt",
    "quote'.txt",
    "emoji🧪.txt",
    "deep/er/and/deeper/empty",
)


@dataclass
class Hostile:
    """A server that is being filled, and what is in it so far."""

    server: Server
    random: random.Random
    experiments: list[str] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.server.ask(method, path, body, **headers)

    def word(self) -> str:
        return self.random.choice(WORDS)

    def texts(self) -> dict[str, str]:
        """Return tags or such: an empty one, a long one, odd ones."""
        return {"empty": "", "long": "ö" * 5000, KEYS[0]: self.word(), KEYS[1]: self.word(), KEYS[2]: "x"}


def put(made: Hostile, place: str, name: str, data: bytes) -> None:
    """Put a file below an artifact URI that the server resolves."""
    path = urllib.parse.quote(f"{place.removeprefix('mlflow-artifacts:/')}/{name}".lstrip("/"))
    made.ask("PUT", f"api/2.0/mlflow-artifacts/artifacts/{path}", data)
