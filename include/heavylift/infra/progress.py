"""What an application has done, as terraform tells it line by line: also when it was killed midway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """An application, up to its last whole line.

    :param made: address → id, of each resource that the platform says is there.
    :param begun: addresses of changes that were begun, and of which no end was told.
    :param errors: terraform's own errors.
    """

    made: Mapping[str, str]
    begun: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def said(self) -> str:
        """The errors, as terraform writes them for people."""
        return "\n".join(f"Error: {each}" for each in self.errors)


def read_progress(text: str) -> Progress:
    """Return what the output of ``terraform apply -json`` tells; a line that was cut off tells nothing."""
    made: dict[str, str] = {}
    begun: dict[str, None] = {}
    errors: list[str] = []
    for event in map(_event, text.splitlines()):
        hook = event.get("hook") or {}
        address = str((hook.get("resource") or {}).get("addr", ""))
        kind = event.get("type")
        if kind == "apply_start":
            begun[address] = None
        elif kind in {"apply_complete", "apply_errored"}:
            begun.pop(address, None)
            if kind == "apply_complete" and hook.get("action") == "create" and hook.get("id_value"):
                made[address] = str(hook["id_value"])
        elif kind == "diagnostic" and (event.get("diagnostic") or {}).get("severity") == "error":
            told = event["diagnostic"]
            errors.append(f"{told.get('summary', '')}\n{told.get('detail', '')}".strip())
    return Progress(made, tuple(begun), tuple(errors))


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
