"""What an IAM policy grants, as references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote


def document_of(value: Any) -> Mapping[str, Any] | None:
    """Return a policy, which may be text in JSON, percent-encoded too; None where it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(unquote(value) if value.startswith("%7B") else value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) and "Statement" in value else None


def granted(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, ARN) of each resource that is granted and each identity that is trusted.

    Denials grant nothing; ``*`` alone names nothing.
    """
    for index, statement in enumerate(_several(policy.get("Statement"))):
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        for resource in _several(statement.get("Resource")):
            if isinstance(resource, str) and resource.startswith("arn:"):
                yield f"Statement[{index}].Resource", resource
        principal = statement.get("Principal")
        for who in _several(principal.get("AWS") if isinstance(principal, Mapping) else None):
            if isinstance(who, str) and who.startswith("arn:") and not who.endswith(":root"):
                yield f"Statement[{index}].Principal.AWS", who


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
