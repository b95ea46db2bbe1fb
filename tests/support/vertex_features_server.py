"""A small Vertex AI Feature Store with its BigQuery: checks every request by Google's discovery documents.

Tables are Parquet files in a folder, and extractions and loads go to and from a real server of Cloud Storage.
What a feature view serves is taken from its table when it is synchronised, as the reference tells: the newest
row of each key, or of a sparse group the newest value of each feature.
"""

from __future__ import annotations

import threading
import urllib.parse
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

PARENT = "projects/p/locations/europe-west4"
STORE = f"{PARENT}/featureOnlineStores/online"
_SQL = {
    "STRING": "VARCHAR",
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMPTZ",
    "BYTES": "BLOB",
}
_VALUES = {
    "STRING": "stringValue",
    "INTEGER": "int64Value",
    "FLOAT": "doubleValue",
    "BOOLEAN": "boolValue",
    "TIMESTAMP": "int64Value",
}


@dataclass
class VertexFeaturesServer:
    """Both services, on one port.

    :param folder: for the tables.
    :param lake: connection of the Cloud Storage.
    :param things: groups, features and views by resource name.
    :param served: view → key's parts → values by name.
    :param polls: how often a job or a synchronisation says that it runs.
    :param loses: so many answers to creations are lost.
    """

    folder: Path
    lake: Connection
    project: str = "p"
    polls: int = 1
    loses: int = 0
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    served: dict[str, dict[tuple[str, ...], dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    syncs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock, self._clock = threading.Lock(), 1000
        store = f"{self.parent}/featureOnlineStores/online"
        self.things[store] = {"name": store, "bigtable": {"autoScaling": {}}}
        options = ClientOptions(api_endpoint=self.lake.extra["endpoint_url"])
        self._storage = storage.Client("p", AnonymousCredentials(), client_options=options)
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/europe-west4"

    @property
    def connection(self) -> Connection:
        extra = {
            "project": self.project,
            "location": "europe-west4",
            "online_store": "online",
            "staging": "gs://staging/tmp",
            "endpoint_url": self._server.url,
            "bigquery_endpoint_url": self._server.url,
            "anonymous": True,
        }
        return Connection("vertex", "google_cloud_platform", extra=extra)

    @property
    def writes(self) -> list[str]:
        reads = (".list", ".get", ".fetchFeatureValues")
        return [each for each in self.requests if not each.endswith(reads)]

    def fill(self, name: str, fields: list[dict[str, str]], query: str, **more: Any) -> None:
        """Make a table of a query's rows."""
        self.tables[name] = {"schema": {"fields": fields}, "type": "TABLE", "labels": {}, **more}
        self._store(name, query)

    def path(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the published form is refused and noted."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        path = urllib.parse.unquote(split.path.removeprefix("/"))
        document = "bigquery.v2" if path.startswith("bigquery/v2/") else "aiplatform.v1"
        with self._lock:
            path = path.removeprefix("bigquery/v2/")
            method = load(document).find(http, path)
            try:
                if method is None:
                    raise BadRequestError("no such method")
                load(document).check(method, query, body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {path}: {error}")
                return 400, _error("INVALID_ARGUMENT", str(error))
            self.requests.append(method.id)
            act = getattr(
                self, "_" + method.id.replace("aiplatform.projects.locations.", "").replace(".", "_")
            )
            found: tuple[int, dict[str, Any]] = act(path.removeprefix("v1/"), query, body)
            return found

    # BigQuery

    def _bigquery_tables_get(self, path: str, _query: Any, _body: Any) -> tuple[int, dict[str, Any]]:
        name = ".".join(path.split("/")[1::2])
        found = self.tables.get(name)
        return (200, found) if found else (404, _error("notFound", name))

    def _bigquery_tables_insert(self, path: str, _query: Any, body: Any) -> tuple[int, dict[str, Any]]:
        name = ".".join([*path.split("/")[1::2], body["tableReference"]["tableId"]])
        if name in self.tables:
            return 409, _error("duplicate", name)
        fields = body["schema"]["fields"]
        columns = ", ".join(f'NULL::{_sql(each)} AS "{each["name"]}"' for each in fields)
        self.fill(name, fields, f"SELECT {columns} WHERE false", labels=body.get("labels", {}))
        return self._made(200, self.tables[name])

    def _bigquery_tables_patch(self, path: str, _query: Any, body: Any) -> tuple[int, dict[str, Any]]:
        table = self.tables[".".join(path.split("/")[1::2])]
        assert set(body) == {"labels"}
        table["labels"] = body["labels"]
        return 200, table

    def _bigquery_jobs_insert(self, _path: str, _query: Any, body: Any) -> tuple[int, dict[str, Any]]:
        number = body["jobReference"]["jobId"]
        status: dict[str, Any] = {"state": "RUNNING"}
        self.jobs[number] = {**body, "status": status, "polls": self.polls}
        return self._made(200, self.jobs[number])

    def _bigquery_jobs_get(self, path: str, _query: Any, _body: Any) -> tuple[int, dict[str, Any]]:
        job = self.jobs.get(path.rpartition("/")[2])
        if job is None:
            return 404, _error("notFound", path)
        job["polls"] -= 1
        if job["polls"] <= 0 and job["status"]["state"] != "DONE":
            job["status"] = {"state": "DONE"}
            try:
                for name, configuration in job["configuration"].items():
                    getattr(self, f"_{name}")(configuration)
            except (duckdb.Error, LookupError) as error:
                job["status"]["errorResult"] = {"reason": "invalid", "message": str(error)[:200]}
        return 200, job

    def _extract(self, asked: dict[str, Any]) -> None:
        (uri,), name = asked["destinationUris"], _dotted(asked["sourceTable"])
        bucket, _, key = uri.removeprefix("gs://").partition("/")
        assert asked["destinationFormat"] == "PARQUET"
        # Two files, as BigQuery itself decides how many there are.
        for number in range(2):
            part = self.folder / "part.parquet"
            with duckdb.connect() as db:
                rows = f"SELECT * FROM (SELECT *, row_number() OVER () AS _n FROM '{self.path(name)}')"
                db.execute(
                    f"COPY (SELECT * EXCLUDE (_n) FROM ({rows}) WHERE _n % 2 = {number}) TO '{part}'"
                    " (FORMAT parquet)"
                )
            blob = self._storage.bucket(bucket).blob(key.replace("*", f"{number:012}"))
            blob.upload_from_filename(str(part))

    def _load(self, asked: dict[str, Any]) -> None:
        (uri,), name = asked["sourceUris"], _dotted(asked["destinationTable"])
        bucket, _, pattern = uri.removeprefix("gs://").partition("/")
        assert (asked["createDisposition"], asked["writeDisposition"]) == ("CREATE_NEVER", "WRITE_TRUNCATE")
        fields = asked["schema"]["fields"]
        paths = []
        for blob in self._storage.list_blobs(bucket):
            if fnmatchcase(blob.name, pattern):
                paths.append(str(self.folder / f"load-{len(paths)}.parquet"))
                blob.download_to_filename(paths[-1])
        columns = ", ".join(f'CAST("{each["name"]}" AS {_sql(each)}) AS "{each["name"]}"' for each in fields)
        self.tables[name]["schema"] = {"fields": fields}
        self._store(name, f"SELECT {columns} FROM read_parquet({paths})")

    def _store(self, name: str, query: str) -> None:
        made, path = self.folder / "made.parquet", self.path(name)
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(f"COPY ({query}) TO '{made}' (FORMAT parquet)")
            (rows,) = db.execute(f"SELECT count(*) FROM '{made}'").fetchone() or (0,)
        made.replace(path)
        self._clock += 1
        self.tables[name] |= {
            "numRows": str(rows),
            "numBytes": str(path.stat().st_size),
            "lastModifiedTime": str(self._clock),
            "location": "EU",
        }

    # Vertex AI

    def _featureGroups_list(self, path: str, query: Any, _body: Any) -> tuple[int, dict[str, Any]]:  # noqa: N802
        return self._listed(path, query)

    _featureGroups_features_list = _featureOnlineStores_list = _featureGroups_list  # noqa: N815
    _featureOnlineStores_featureViews_list = _featureGroups_list  # noqa: N815

    def _listed(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        found = [
            each
            for name, each in self.things.items()
            if name.startswith(f"{path}/") and "/" not in name.removeprefix(f"{path}/")
        ]
        start = int(query.get("pageToken") or 0)
        page = {path.rpartition("/")[2]: found[start : start + 2]}
        return 200, page | ({"nextPageToken": str(start + 2)} if len(found) > start + 2 else {})

    def _featureGroups_get(self, path: str, _query: Any, _body: Any) -> tuple[int, dict[str, Any]]:  # noqa: N802
        found = self.things.get(path)
        return (200, found) if found else (404, _error("NOT_FOUND", path))

    _featureGroups_features_get = _featureOnlineStores_get = _featureGroups_get  # noqa: N815
    _featureOnlineStores_featureViews_get = _featureGroups_get  # noqa: N815

    def _featureGroups_create(self, path: str, query: Any, body: Any) -> tuple[int, dict[str, Any]]:  # noqa: N802
        (number,) = query.values()
        name = f"{path}/{number}"
        if name in self.things:
            return 409, _error("ALREADY_EXISTS", name)
        source = (body.get("bigQuery") or {}).get("bigQuerySource", {}).get("inputUri")
        source = source or (body.get("bigQuerySource") or {}).get("uri")
        if source and source.removeprefix("bq://") not in self.tables:
            return 400, _error("INVALID_ARGUMENT", f"no table {source}")
        if problem := _wrong(body):
            return 400, _error("INVALID_ARGUMENT", problem)
        self.things[name] = {**body, "name": name}
        return self._made(200, {"name": f"{name}/operations/1", "done": False})

    _featureGroups_features_create = _featureGroups_create  # noqa: N815
    _featureOnlineStores_featureViews_create = _featureGroups_create  # noqa: N815

    def _featureGroups_patch(self, path: str, query: Any, body: Any) -> tuple[int, dict[str, Any]]:  # noqa: N802
        for name in query["updateMask"].split(","):
            self.things[path][name] = body[name]
        return 200, {"name": f"{path}/operations/2", "done": True}

    _featureGroups_features_patch = _featureGroups_patch  # noqa: N815
    _featureOnlineStores_featureViews_patch = _featureGroups_patch  # noqa: N815

    def _featureGroups_operations_get(self, path: str, _query: Any, _body: Any) -> tuple[int, dict[str, Any]]:  # noqa: N802
        return 200, {"name": path, "done": True}

    _featureGroups_features_operations_get = _featureGroups_operations_get  # noqa: N815
    _featureOnlineStores_featureViews_operations_get = _featureGroups_operations_get  # noqa: N815

    def _featureOnlineStores_featureViews_sync(  # noqa: N802
        self, path: str, _query: Any, _body: Any
    ) -> tuple[int, dict[str, Any]]:
        name = path.removesuffix(":sync")
        sync = f"{name}/featureViewSyncs/{len(self.syncs) + 1}"
        self.syncs[sync] = {"name": sync, "polls": self.polls}
        return 200, {"featureViewSync": sync}

    def _featureOnlineStores_featureViews_featureViewSyncs_get(  # noqa: N802
        self, path: str, _query: Any, _body: Any
    ) -> tuple[int, dict[str, Any]]:
        sync = self.syncs[path]
        sync["polls"] -= 1
        if sync["polls"] <= 0 and "runTime" not in sync:
            rows = self.take(path.partition("/featureViewSyncs")[0])
            sync |= {"runTime": {"endTime": "2026-11-01T00:00:00Z"}, "syncSummary": {"rowSynced": str(rows)}}
        return 200, {key: value for key, value in sync.items() if key != "polls"}

    def take(self, view: str) -> int:
        """Serve what a view's table has now; return how many keys."""
        made = self.things[view]
        if "bigQuerySource" in made:
            table, keys = made["bigQuerySource"]["uri"], made["bigQuerySource"]["entityIdColumns"]
            query = "SELECT * FROM '{}'"
        else:
            (group,) = made["featureRegistrySource"]["featureGroups"]
            held = self.things[f"{self.parent}/featureGroups/{group['featureGroupId']}"]["bigQuery"]
            table, keys = held["bigQuerySource"]["inputUri"], held["entityIdColumns"]
            time, listed = held["timeSeries"]["timestampColumn"], ", ".join(keys)
            newest = f"row_number() OVER (PARTITION BY {listed} ORDER BY {time} DESC) = 1"
            query = f"SELECT * FROM '{{}}' QUALIFY {newest}"
            if not held.get("dense"):
                values = "".join(
                    f", arg_max({each}, {time}) FILTER ({each} IS NOT NULL) AS {each}"
                    for each in group["featureIds"]
                )
                query = f"SELECT {listed}{values}, max({time}) AS {time} FROM '{{}}' GROUP BY {listed}"
        name = table.removeprefix("bq://")
        kinds = {each["name"]: each for each in self.tables[name]["schema"]["fields"]}
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            found = db.execute(query.format(self.path(name)))
            columns = [each[0] for each in found.description or ()]
            rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        self.served[view] = {
            tuple(str(row[key]) for key in keys): {
                each: _value(kinds[each], value) for each, value in row.items() if each not in keys
            }
            for row in rows
        }
        return len(rows)

    def _featureOnlineStores_featureViews_fetchFeatureValues(  # noqa: N802
        self, path: str, _query: Any, body: Any
    ) -> tuple[int, dict[str, Any]]:
        key = body["dataKey"]
        parts = tuple(key["compositeKey"]["parts"]) if "compositeKey" in key else (key["key"],)
        found = self.served.get(path.partition(":")[0], {}).get(parts)
        if found is None:
            return 404, _error("NOT_FOUND", str(parts))
        listed = [{"name": name, **({"value": value} if value else {})} for name, value in found.items()]
        return 200, {"keyValues": {"features": listed}}

    def _made(self, status: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.loses:
            self.loses -= 1
            return 0, {}
        return status, body


def _value(field_: dict[str, str], value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    kind = _VALUES[field_["type"]]
    if field_.get("mode") == "REPEATED":
        name = kind.replace("Value", "ArrayValue")
        return {name: {"values": [str(each) if kind == "int64Value" else each for each in value]}}
    if field_["type"] == "TIMESTAMP":
        return {kind: str(round(value.timestamp() * 1e6))}
    return {kind: str(value) if kind == "int64Value" else value}


def _sql(field_: dict[str, str]) -> str:
    return _SQL[field_["type"]] + ("[]" if field_.get("mode") == "REPEATED" else "")


def _dotted(reference: dict[str, str]) -> str:
    return ".".join(reference[each] for each in ("projectId", "datasetId", "tableId"))


def _wrong(body: dict[str, Any]) -> str:
    labels = body.get("labels", {})
    for text in (*labels, *labels.values()):
        if len(text) > 63 or any(not (c.islower() or c.isdigit() or c in "-_") for c in text):
            return f"the label {text!r}"
    return "" if len(labels) <= 64 else "too many labels"


def _error(status: str, message: str) -> dict[str, Any]:
    return {"error": {"status": status, "message": message}}
