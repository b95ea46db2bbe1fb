"""How one server's things are seen in a comparison: under which id, and with which fields."""

from __future__ import annotations

from typing import Any, Protocol

Raw = dict[str, Any]

_IDS = {
    "experiment": ("experiment_id",),
    "run": ("info", "run_id"),
    "logged model": ("info", "model_id"),
    "trace": ("trace_id",),
    "registered model": ("name",),
    "webhook": ("webhook_id",),
    "workspace": ("name",),
    "evaluation dataset": ("dataset_id",),
    "issue": ("issue_id",),
    "review queue": ("queue_id",),
    "label schema": ("schema_id",),
    "gateway secret": ("secret_id",),
    "gateway endpoint": ("endpoint_id",),
    "gateway model definition": ("model_definition_id",),
    "gateway guardrail": ("guardrail_id",),
    "gateway budget": ("budget_policy_id",),
    "MCP server": ("name",),
}


class View(Protocol):
    """One side of a comparison. What two views show of equal things is equal."""

    def thing(self, kind: str, raw: Raw) -> tuple[str, Raw] | None:
        """Return a thing's id and what is compared of it; None leaves it out."""
        ...

    def actual(self, kind: str, shown: str) -> str:
        """Return the server's own id of a thing that is shown under an id."""
        ...


class AsItIs:
    """Shows everything as the server tells it: for copies that keep all ids."""

    def thing(self, kind: str, raw: Raw) -> tuple[str, Raw] | None:
        """Return a thing's own id, and all of it."""
        return own_id(kind, raw), raw

    def actual(self, kind: str, shown: str) -> str:
        """Return the id itself."""
        return shown


def own_id(kind: str, raw: Raw) -> str:
    """Return the id that a server gives a thing."""
    if kind == "model version":
        return f"{raw['name']}/{raw['version']}"
    if kind == "scorer":
        return f"{raw['experiment_id']}/{raw['scorer_name']}/{raw.get('scorer_version', 0)}"
    if kind == "gateway binding":
        return f"{raw['endpoint_id']}/{raw['resource_type']}/{raw['resource_id']}"
    if kind == "record":
        return str(raw.get("dataset_record_id", ""))
    found: Any = raw
    for step in _IDS[kind]:
        found = found[step]
    return str(found)
