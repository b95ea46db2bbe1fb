"""Which targets there are."""

from __future__ import annotations

import importlib
from typing import cast

from heavylift.errors import UnsupportedError
from heavylift.infra.targets.target import Target

_MODULES = {"gcp": "google", "aws": "aws", "azure": "azure"}


def target_of(platform: str) -> Target:
    """Return the tables of a platform; only this one's are loaded.

    :raises UnsupportedError: there are none.
    """
    name = _MODULES.get(platform)
    if name is None:
        raise UnsupportedError(
            f"generating infrastructure for {platform!r}",
            got="a target without tables",
            expected=", ".join(_MODULES),
            state="nothing was written",
            remedy="use the tools of Kubernetes: manifests are moved, not generated",
            code="7901",
        )
    module = importlib.import_module(f"heavylift.infra.targets.{name}.target")
    return cast("Target", module.TARGET)
