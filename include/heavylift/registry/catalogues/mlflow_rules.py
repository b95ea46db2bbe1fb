"""What MLflow's registry of models can hold: almost everything, most of it as tags."""

from __future__ import annotations

import posixpath

from heavylift.registry.catalogues.capabilities import Capabilities, Holder, Pairs, Rule


def _is_plain(key: str) -> bool:
    return key == posixpath.normpath(key) and not key.startswith(("..", "/")) and key != "."


PAIRS = Pairs(
    key=Rule(250, r"[/\w.\- :]+", test=(_is_plain, "what reads as a plain path")),
    value=Rule(5000),
    reserved=("mlflow.",),
)
_TEXT = Rule(5000)
_ALIAS = (lambda text: text.lower() != "latest", "other names than latest")

CAPABILITIES = Capabilities(
    platform="mlflow",
    model=Holder(
        {"description": _TEXT, "aliases/*": Rule()},
        PAIRS,
        late=("aliases/*",),
        names={"aliases/*": Rule(255, r"(?![vV]\d+$)[\w\-]+", test=_ALIAS)},
    ),
    version=Holder(
        {"description": _TEXT, "containers/0/artifact": Rule(500)},
        PAIRS,
        frozen=("containers/0/artifact",),
    ),
    # Both sorts of quotes in one name could not be searched for.
    name=Rule(
        256, r"[^/:\"]+|[^/:']+", test=(lambda text: _is_plain(text) and bool(text.strip()), "plain names")
    ),
    name_longest=256,
    name_characters="A-Za-z0-9_",
)
"""Registered models and their versions."""
