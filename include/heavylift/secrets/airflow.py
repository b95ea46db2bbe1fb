"""How Airflow's secrets backends name connections and variables, and what one's name is on another. Pure.

The rules are those of ``SecretsManagerBackend``, ``SystemsManagerParameterStoreBackend``,
``CloudSecretManagerBackend`` and ``AzureKeyVaultBackend``; a test holds them to the classes themselves.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from heavylift.platforms.secrets import SecretInfo
from heavylift.secret_values import SecretValue
from heavylift.spec.sections_secrets import AirflowSecrets


@dataclass(frozen=True)
class Convention:
    """The defaults of one backend.

    :param dashes: an underscore of a name is written as the separator.
    """

    connections: str
    variables: str
    sep: str
    dashes: bool = False


CONVENTIONS = {
    "secrets_manager": Convention("airflow/connections", "airflow/variables", "/"),
    "parameter_store": Convention("/airflow/connections", "/airflow/variables", "/"),
    "secret_manager": Convention("airflow-connections", "airflow-variables", "-"),
    "key_vault": Convention("airflow-connections", "airflow-variables", "-", dashes=True),
}
"""Store → the conventions of the backend that reads it."""

TEAM_SEP = "--"
"""Backends look up no name with it: it stands between a team and an id."""
_GOOGLE = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Entry:
    """A connection or a variable.

    :param kind: ``connection`` or ``variable``.
    """

    kind: str
    id: str


class Translation:
    """Finds Airflow's entries on the source, and names them as the target's backend looks for them."""

    def __init__(self, wanted: AirflowSecrets, target: str) -> None:
        self._wanted, self._target = wanted, target
        self._ids = {each.replace("_", "-"): each for each in wanted.ids}

    def entry(self, info: SecretInfo) -> Entry | None:
        """Return what a secret of the source is to Airflow, or None."""
        convention = CONVENTIONS.get(info.store)
        if convention is None:
            return None
        wanted = self._wanted
        sep = _or(wanted.source_sep, convention.sep)
        given = {
            "connection": _or(wanted.source_connections_prefix, convention.connections),
            "variable": _or(wanted.source_variables_prefix, convention.variables),
        }
        for kind, prefix in given.items():
            start = f"{prefix.rstrip(sep)}{sep}"
            if convention.dashes:
                start = start.replace("_", sep)
            if info.name.startswith(start) and len(info.name) > len(start):
                found = info.name[len(start) :]
                return Entry(kind, self._id(found) if convention.dashes else found)
        return None

    def _id(self, found: str) -> str:
        # Key Vault has written both _ and - as -: the spec says which ids it was, else it was _ throughout.
        return self._ids.get(found, found.replace("-", "_"))

    def name(self, entry: Entry) -> tuple[str, str]:
        """Return an entry's name on the target, and why the target's backend would not find it."""
        convention = CONVENTIONS.get(self._target)
        if convention is None:
            return entry.id, "Airflow has no secrets backend for this store that Heavylift knows"
        wanted = self._wanted
        sep = _or(wanted.target_sep, convention.sep)
        prefixes = {
            "connection": _or(wanted.target_connections_prefix, convention.connections),
            "variable": _or(wanted.target_variables_prefix, convention.variables),
        }
        path = f"{prefixes[entry.kind].rstrip(sep)}{sep}{entry.id}"
        if convention.dashes:
            path = path.replace("_", sep)
        if TEAM_SEP in (path if convention.dashes else entry.id):
            return path, f"its id {entry.id!r} has {TEAM_SEP}, which no backend looks up"
        if self._target == "secret_manager" and not _GOOGLE.fullmatch(entry.id):
            return (
                path,
                f"the backend for Google's store does not take the id {entry.id!r}: letters, digits, _, -",
            )
        return path, ""


def unreadable(entry: Entry, value: SecretValue) -> str:
    """Return why the target's Airflow could not read a connection's value; empty where it could."""
    if entry.kind != "connection":
        return "" if value.text else "it is a variable of Airflow's whose value is no text"
    text = value.reveal().decode() if value.text else ""
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            fields = {}
        return "" if isinstance(fields, dict) and fields.get("conn_type") else _WHY
    return "" if "://" in text else _WHY


_WHY = "it is a connection of Airflow's in a form that few backends read: no URI, and no JSON with conn_type"


def _or(given: str | None, default: str) -> str:
    return default if given is None else given
