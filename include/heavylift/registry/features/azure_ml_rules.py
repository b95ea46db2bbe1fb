"""What Azure ML's managed feature store can hold, and how it writes types, times and places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.registry.catalogues.azure_ml_shapes import TAGS, Datastore
from heavylift.registry.catalogues.capabilities import Pairs, Rule
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History

TYPES = {
    "string": "string",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "binary": "bytes",
    "datetime": "timestamp",
    "boolean": "bool",
}
NAMES = {ours: theirs for theirs, ours in TYPES.items()}
MINUTE = 60
CREATED = "create_timestamp"
"""Column by which materialisation orders rows of one key and event time."""
_DAY, _HOUR = 86_400, 3600
_LAKE = re.compile(r"(?:abfss?|wasbs?)://([^@/]+)@([^./]+)\.[^/]*/?(.*)")
_HTTPS = re.compile(r"https://([^./]+)\.(?:blob|dfs)\.[^/]*/([^/]+)/?(.*)")
_SHORT = re.compile(r"azureml://datastores/([^/]+)/paths/(.*)")
_GLOB = re.compile(r"(/\*\*)?/(\*(\.parquet)?)?$")

CAPABILITIES = FeatureCapabilities(
    platform="azure-ml",
    types={each: each for each in NAMES},
    names=Rule(255, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    entities=True,
    schemes=("az",),
    history=History(created=CREATED),
    ttl_joins=True,
    ttl_step=MINUTE,
    feature_pairs=Pairs(),
    owner=False,
    pairs=TAGS,
)
"""Feature sets over Parquet files, and their entities."""

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Lake:
    """How a feature store writes the places of its account.

    :param account: the storage account; empty where the connection names none.
    """

    account: str
    datastore: Datastore

    def shown(self, uri: str) -> str:
        """Return a URI as Heavylift writes it; as it is where it leads to another account."""
        short = _SHORT.fullmatch(uri)
        if short and f"/datastores/{short[1]}/paths" in self.datastore.uri:
            uri = f"{self.datastore.uri}/{short[2]}"
        uri = _GLOB.sub("", uri)
        for pattern, order in ((_LAKE, (1, 2, 3)), (_HTTPS, (2, 1, 3))):
            if found := pattern.fullmatch(uri):
                container, account, path = (found[number] for number in order)
                same = not self.account or account == self.account
                return f"az://{container}/{path}".rstrip("/") if same else uri
        return self.datastore.shown(uri)

    def written(self, uri: str) -> str:
        """Return a URI of this account as Spark reads it."""
        container, _, path = uri.removeprefix("az://").partition("/")
        return f"abfss://{container}@{self.account}.dfs.core.windows.net/{path}"


def seconds_of(offset: Raw | None) -> int:
    """Return how long an offset of days, hours and minutes is."""
    given = offset or {}
    days, hours, minutes = (int(given.get(each) or 0) for each in ("days", "hours", "minutes"))
    return days * _DAY + hours * _HOUR + minutes * MINUTE


def offset_of(seconds: int) -> dict[str, int]:
    """Return an offset of so many seconds."""
    days, rest = divmod(seconds, _DAY)
    return {"days": days, "hours": rest // _HOUR, "minutes": rest % _HOUR // MINUTE}
