"""The JSON Schema of migration specs, for editors and for validators other than ours."""

from __future__ import annotations

from typing import Any

from heavylift.spec.model import MigrationSpec
from heavylift.spec.support import SUPPORTED_SECTIONS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LATER = "Understood, but not yet supported by this version. "


def spec_schema() -> dict[str, Any]:
    """Return the JSON Schema of a migration spec.

    It knows the form only: rules over several fields, such as a target inside its own source,
    are checked by ``heavylift spec check``.
    """
    schema = MigrationSpec.model_json_schema(by_alias=True)
    for section, supported in SUPPORTED_SECTIONS.items():
        if not supported:
            described = schema["properties"][section]
            described["description"] = _LATER + described["description"]
    schema["patternProperties"] = {"^x-": {"description": "Your own, for YAML anchors; not read."}}
    return {"$schema": DIALECT, **_without_foreign_keywords(schema)}


def _without_foreign_keywords(schema: Any) -> Any:
    # Pydantic leaves its own names of bounds on values that may be text or a number.
    if isinstance(schema, list):
        return [_without_foreign_keywords(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in {"ge", "le"} or "anyOf" not in schema}
    return {key: _without_foreign_keywords(value) for key, value in kept.items()}
