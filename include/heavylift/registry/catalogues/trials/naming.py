"""Under which names MLflow's things stand in SageMaker: derived from their ids, so that they stay."""

from __future__ import annotations

import hashlib
import re

from heavylift.registry.catalogues.trials.limits import trial_limits

_PLAIN = re.compile(r"[a-z0-9]{1,64}")
_ODD = re.compile(r"[^a-zA-Z0-9]+")


def run_name(registry: str, run: str) -> str:
    """Return the name of a run's trial and component.

    Small letters only, which is all that the service of metrics takes; the registry is in it, so that two
    moves of one server into one account do not meet.
    """
    own = run if _PLAIN.fullmatch(run) else _digest(run, 16)
    return f"run-{own}{_end(registry)}"


def is_of(registry: str, name: str) -> bool:
    """Tell whether a trial or component has a name that this move gave it."""
    return name.startswith("run-") and name.endswith(_end(registry))


def _end(registry: str) -> str:
    return f"-{_digest(registry, 4)}"


def experiment_name(name: str, number: str, registry: str) -> str:
    """Return an experiment's name there: its own where it is taken, else one that tells of it."""
    return name if not trial_limits().name.wrong(name) else unique_name(name, number, registry)


def unique_name(name: str, number: str, registry: str) -> str:
    """Return a name that no other experiment has: with a digest of its id."""
    end = _digest(f"{registry}/{number}", 4)
    start = _cleaned(name, "experiment", trial_limits().name.longest - len(end) - 1)
    return f"{start}-{end}"


def display_name(name: str) -> str:
    """Return what of a name a display name can hold."""
    rule = trial_limits().display
    return name if not rule.wrong(name) else _cleaned(name, "run", rule.longest)


def _cleaned(name: str, empty: str, longest: int) -> str:
    return _ODD.sub("-", name).strip("-")[:longest].rstrip("-") or empty


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
