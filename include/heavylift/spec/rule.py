"""What a rule over several fields says when it is broken."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.spec.problems import FieldPath


@dataclass(frozen=True)
class Broken:
    """One broken rule, at the field that has to change."""

    code: str
    path: FieldPath
    got: str
    expected: str
    hint: str = ""
