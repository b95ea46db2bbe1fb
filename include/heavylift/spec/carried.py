"""What a spec moves where, as one digest: an approval of a plan holds for that, and for nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from heavylift.spec.model import MigrationSpec

_SECTIONS = (
    "source",
    "target",
    "datasets",
    "databases",
    "streams",
    "registries",
    "feature_stores",
    "models",
    "endpoints",
    "pipelines",
    "infrastructure",
    "access",
)
_HOW_FAST = frozenset({"description", "limits", "parallel", "parallel_ranges", "max_lag", "max_retained_wal"})
"""Fields that change nothing of what arrives: whoever is on call may turn them without asking again."""
_ASKED_LATER = frozenset({"variables", "accept_untranslated"})
"""Fields of the infrastructure that its own gate shows to a person, with all that comes of them."""


def carried_digest(spec: MigrationSpec) -> str:
    """Return the SHA-256, in hex, of what a spec moves where and by which rules.

    How fast it may go plays no part, nor do schedules, notifications, gates and the section ``assess``.

    :param spec: as it was loaded; what a single phase sees of it has another digest.
    """
    found = spec.model_dump(mode="json", include=set(_SECTIONS))
    if spec.secrets is not None:  # a spec without them keeps the digest that it had before there were any
        found |= spec.model_dump(mode="json", include={"secrets"})
    later = ("manifests", "containers", "training", "autoscaling", "alerts", "envelopes")
    found |= spec.model_dump(mode="json", include={name for name in later if getattr(spec, name)})
    text = json.dumps(_without(found), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def judged_digest(spec: MigrationSpec) -> str:
    """Return the SHA-256, in hex, of all that the rules of compliance are judged on."""
    rules = spec.model_dump(mode="json", include={"compliance", "evidence"})
    text = json.dumps([carried_digest(spec), rules], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items() if name not in _HOW_FAST | _ASKED_LATER}
    return [_without(each) for each in value] if isinstance(value, list) else value
