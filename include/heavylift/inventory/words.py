"""Which vocabulary an answer of a platform is walked with."""

from __future__ import annotations

from functools import lru_cache

from heavylift.inventory.vocabulary import Vocabulary


@lru_cache
def words_of(platform: str) -> Vocabulary:
    """Return what the walk knows of a platform."""
    if platform == "aws":
        from heavylift.inventory.aws.fields import WORDS

        return WORDS
    if platform == "kubernetes":
        from heavylift.inventory.kubernetes.fields import WORDS as KUBERNETES

        return KUBERNETES
    if platform == "gcp":
        from heavylift.inventory.gcp.fields import WORDS as GCP

        return GCP
    if platform == "azure":
        from heavylift.inventory.azure.fields import WORDS as AZURE

        return AZURE
    from heavylift.inventory.native.fields import WORDS as NATIVE

    return NATIVE
