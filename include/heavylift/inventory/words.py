"""Which vocabulary an answer of a platform is walked with."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from heavylift.inventory.vocabulary import Vocabulary

_WORDS = {
    "aws": "heavylift.inventory.aws.fields",
    "gcp": "heavylift.inventory.gcp.fields",
    "azure": "heavylift.inventory.azure.fields",
    "kubernetes": "heavylift.inventory.kubernetes.fields",
}
_NATIVE = "heavylift.inventory.native.fields"
"""Of single servers, whose planes tell themselves what is named."""


@lru_cache
def words_of(platform: str) -> Vocabulary:
    """Return what the walk knows of a platform."""
    words: Vocabulary = import_module(_WORDS.get(platform, _NATIVE)).WORDS
    return words
