"""Histories that are BigQuery tables: extracted to, and loaded from, Parquet files in Cloud Storage.

Both are jobs of BigQuery's own, which cost nothing and work at any size; no row goes through an API.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError, PermanentError, TransientError
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.leaves import digest_of
from heavylift.registry.features.description import View

SCHEME = "bq"
CREATED = "heavylift_created"
"""Column by which rows of one key and event time are ordered."""
_ADDRESS = "https://bigquery.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_SERVED = "__served"
_LOADED = "heavylift-loaded"
_TYPES = {
    "STRING": "string",
    "INTEGER": "int64",
    "INT64": "int64",
    "FLOAT": "float64",
    "FLOAT64": "float64",
    "BOOLEAN": "bool",
    "BOOL": "bool",
    "TIMESTAMP": "timestamp",
    "BYTES": "bytes",
}
_NAMES = {
    "string": "STRING",
    "int64": "INTEGER",
    "float64": "FLOAT",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "bytes": "BYTES",
}

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table as BigQuery tells it.

    :param columns: types by name; one that is not known is told in small letters.
    :param kind: ``TABLE``, ``VIEW`` and so on.
    :param buffered: rows that came by streaming and cannot be extracted yet.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    size_bytes: int = 0
    rows: int = 0
    kind: str = "TABLE"
    location: str = ""
    buffered: int = 0


class BigQueryTables:
    """The tables that a connection leads to; close it when done.

    :param connection: extra ``staging`` is a prefix of Cloud Storage, ``gs://bucket/prefix``, for files on
        their way; ``bigquery_endpoint_url`` replaces Google's address.
    """

    def __init__(self, connection: Connection, parallel: int) -> None:
        endpoint = connection.text("bigquery_endpoint_url") or _ADDRESS
        fetch = None if is_anonymous(connection) else token_fetcher(connection, _SCOPES)
        self._api = CloudApi(connection.conn_id, endpoint, fetch, parallel)
        self._staging = (connection.text("staging") or "").rstrip("/")
        self._project = connection.text("project") or ""
        self._conn_id = connection.conn_id

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    def staged(self, uri: str, act: str) -> str:
        """Return the folder for the files of a table; the same for each try, so that none is left behind.

        :raises ConnectionConfigError: the connection names no place for them.
        """
        if not self._staging.startswith("gs://"):
            raise ConnectionConfigError(
                f"moving rows of {uri}",
                got=f"the extra field staging {self._staging!r} of connection {self._conn_id!r}",
                expected="a prefix of Cloud Storage, such as gs://bucket/staging",
                state="nothing was touched",
                remedy=f"set extra.staging of the connection {self._conn_id!r}",
                code="9461",
            )
        name = hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()
        return f"{self._staging}/heavylift-{act}-{uri.rpartition('/')[2]}-{name}"

    async def find(self, uri: str) -> Table | None:
        """Return a table; None where there is none."""
        try:
            raw = await self._api.get(_path(uri))
        except NotFoundError:
            return None
        return _table(raw)

    async def columns(self, uri: str) -> Mapping[str, str]:
        """Return the types of a table's columns."""
        return (await self._existing(uri)).columns

    async def make(self, uri: str, view: View, labels: Mapping[str, str]) -> None:
        """Make an empty table for a view's rows, unless it is there."""
        if await self.find(uri) is not None:
            return
        body = {"tableReference": _reference(uri), "schema": _schema(view), "labels": dict(labels)}
        path = _path(uri).rpartition("/")[0]
        await self._api.create(path, body, lambda: self.find(uri))

    async def extract(self, uri: str, folder: str) -> int:
        """Write a table's rows as Parquet files below a folder of Cloud Storage; return how many there are.

        :raises TransientError: rows that came by streaming cannot be extracted yet.
        """
        table = await self._existing(uri)
        if table.buffered:
            raise TransientError(
                f"extracting {uri}",
                got=f"about {table.buffered:,} rows in its streaming buffer, which no extraction has",
                expected="all rows in the table",
                state="nothing was concluded, and nothing was changed",
                remedy="wait until BigQuery has taken them over (up to 90 minutes), and run again",
                code="9462",
            )
        await self._job(
            uri,
            table.location,
            {
                "extract": {
                    "sourceTable": _reference(uri),
                    "destinationUris": [f"{folder}/*.parquet"],
                    "destinationFormat": "PARQUET",
                    "compression": "ZSTD",
                }
            },
        )
        return table.rows

    async def load(self, uri: str, folder: str, view: View, labels: Mapping[str, str]) -> None:
        """Replace a table's rows by those of the Parquet files below a folder, in one step.

        :param labels: are set afterwards: they tell that it is done.
        """
        table = await self._existing(uri)
        await self._job(
            uri,
            table.location,
            {
                "load": {
                    "destinationTable": _reference(uri),
                    "sourceUris": [f"{folder}/*.parquet"],
                    "sourceFormat": "PARQUET",
                    "schema": _schema(view),
                    "createDisposition": "CREATE_NEVER",
                    "writeDisposition": "WRITE_TRUNCATE",
                    "parquetOptions": {"enableListInference": True},
                }
            },
        )
        if labels:
            await self._api.write("PATCH", _path(uri), {"labels": {**table.labels, **labels}})

    async def _existing(self, uri: str) -> Table:
        found = await self.find(uri)
        if found is None:
            raise NotFoundError(
                f"reading {uri}",
                got="no such table",
                expected="the table that the feature group names",
                state="nothing was changed",
                remedy="restore the table, or correct the feature group",
                code="9463",
            )
        return found

    async def _job(self, uri: str, location: str, configuration: Raw) -> None:
        number = f"heavylift-{uuid.uuid4().hex}"
        reference = {"projectId": self._project, "jobId": number, "location": location}
        path = f"bigquery/v2/projects/{self._project}/jobs"

        async def look() -> Raw | None:
            try:
                return await self._api.get(f"{path}/{number}", {"location": location} if location else {})
            except NotFoundError:
                return None

        body = {"jobReference": {key: value for key, value in reference.items() if value}}
        job: Raw = await self._api.create(path, body | {"configuration": configuration}, look)

        async def ended() -> Raw | None:
            found = job if _is_done(job) else await look()
            return found if found is not None and _is_done(found) else None

        status: Raw = (await self._api.until(ended, f"waiting for job {number} of {uri}"))["status"]
        if error := status.get("errorResult"):
            raise PermanentError(
                f"job {number} of {uri}",
                got=f"{error.get('reason')}: {str(error.get('message'))[:300]}",
                expected="success",
                state="the table has the rows that it had before",
                remedy="mend what the answer names (rights on the bucket, a value that does not fit)",
                code="9464",
            )


def is_table(uri: str) -> bool:
    """Tell whether a history is a table."""
    return uri.startswith(f"{SCHEME}://")


def served_table(uri: str) -> str:
    """Return the table that holds what is served of a history, where the history alone does not tell it."""
    return f"{uri}{_SERVED}"


def dotted(uri: str) -> str:
    """Return a table's URI as Vertex AI writes it: ``bq://project.dataset.table``."""
    return f"{SCHEME}://{'.'.join(_parts(uri))}"


def slashed(uri: str) -> str:
    """Return a table's URI with slashes, so that prefixes of it can be mapped."""
    return f"{SCHEME}://{'/'.join(uri.removeprefix(f'{SCHEME}://').split('.'))}"


def loaded_labels(manifest: str, leaves: Mapping[str, str]) -> dict[str, str]:
    """Return the label that tells from which files a table was filled, and for which definition."""
    return {_LOADED: digest_of({**leaves, "manifest": manifest})}


def _parts(uri: str) -> list[str]:
    return uri.removeprefix(f"{SCHEME}://").split("/")


def _path(uri: str) -> str:
    project, dataset, table = _parts(uri)
    return f"bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}"


def _reference(uri: str) -> dict[str, str]:
    project, dataset, table = _parts(uri)
    return {"projectId": project, "datasetId": dataset, "tableId": table}


def _schema(view: View) -> dict[str, Any]:
    fields = [_field(name, kind) for name, kind in view.columns.items()]
    return {"fields": [*fields, _field(view.event_time, "timestamp"), _field(CREATED, "timestamp")]}


def _field(name: str, kind: str) -> dict[str, str]:
    if kind.startswith("list<"):
        return {"name": name, "type": _NAMES[kind[5:-1]], "mode": "REPEATED"}
    return {"name": name, "type": _NAMES[kind], "mode": "NULLABLE"}


def _kind(raw: Raw) -> str:
    kind = _TYPES.get(str(raw["type"]).upper(), str(raw["type"]).lower())
    return f"list<{kind}>" if raw.get("mode") == "REPEATED" else kind


def _table(raw: Raw) -> Table:
    fields = (raw.get("schema") or {}).get("fields") or ()
    buffer: Raw = raw.get("streamingBuffer") or {}
    return Table(
        {str(each["name"]): _kind(each) for each in fields},
        {str(key): str(value) for key, value in (raw.get("labels") or {}).items()},
        f"{raw.get('lastModifiedTime')}-{raw.get('numRows')}",
        int(raw.get("numBytes") or 0),
        int(raw.get("numRows") or 0),
        str(raw.get("type") or "TABLE"),
        str(raw.get("location") or ""),
        int(buffer.get("estimatedRows") or 0),
    )


def _is_done(job: Raw) -> bool:
    return (job.get("status") or {}).get("state") == "DONE"
