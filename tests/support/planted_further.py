"""More differences: what is lost whole, what is one too many, and what hangs on several things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.planted_history import Planting

Found = tuple[str, str, str]
"""The sort of a thing, its id on the source, and the field."""


@dataclass(frozen=True)
class Plant:
    """One difference.

    :param statement: makes it on the target; its one parameter is the target's id of what it is about.
    """

    what: str
    id: str
    field: str
    statement: str
    about: str


EXTRA_RUN = "e" * 32


def further(planting: Planting) -> Iterator[Plant]:
    """Yield the differences; none hides another's."""
    yield from _runs(planting)
    yield from _models(planting)
    yield from _traces(planting)
    yield from _registered(planting)
    yield from _evaluation(planting)


def _runs(planting: Planting) -> Iterator[Plant]:
    runs = [row[0] for row in planting.source.sql("SELECT run_uuid FROM runs ORDER BY rowid")]
    points = (
        (8, "again", "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
         " SELECT 'again', 3.25, 1, 12345, 0, run_uuid FROM runs WHERE run_uuid = ?"),
        (13, "timeless", "UPDATE metrics SET value = value + 1e-9 WHERE key = 'timeless' AND run_uuid = ?"),
    )  # fmt: skip
    for number, key, statement in points:
        about = planting.actual("run", runs[number])
        yield Plant("metric history", f"{runs[number]}/{key}", "points", statement, about)
    named = "(key, value, run_uuid) SELECT 'theirs', 'x', run_uuid FROM runs WHERE run_uuid = ?"
    used = "(SELECT source_id FROM inputs WHERE source_type = 'DATASET' AND destination_id = ?)"
    fields = (
        (13, "data.params[theirs]", f"INSERT INTO params {named}"),
        (13, f"data.{planting.tag('theirs')}", f"INSERT INTO tags {named}"),
        (12, "inputs.dataset_inputs",
         f"UPDATE datasets SET dataset_profile = 'x' WHERE dataset_uuid IN {used}"),
        (13, "inputs.dataset_inputs", "UPDATE input_tags SET value = 'x' WHERE input_uuid IN"
         " (SELECT input_uuid FROM inputs WHERE source_type = 'DATASET' AND destination_id = ?)"),
        (7, "missing", "UPDATE runs SET experiment_id = 0 WHERE run_uuid = ?"),
    )  # fmt: skip
    for number, field, statement in fields:
        yield Plant("run", runs[number], field, statement, planting.actual("run", runs[number]))
    one_more = (
        "INSERT INTO runs (run_uuid, name, experiment_id, lifecycle_stage, status, start_time, user_id,"
        f" source_type, artifact_uri) SELECT '{EXTRA_RUN}', 'extra', experiment_id, 'active', 'FINISHED', 1,"
        " 'u', 'LOCAL', artifact_uri FROM runs WHERE run_uuid = ?"
    )
    yield Plant("run", EXTRA_RUN, "extra", one_more, planting.actual("run", runs[0]))


def _models(planting: Planting) -> Iterator[Plant]:
    query = "SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active' ORDER BY rowid"
    models = [row[0] for row in planting.source.sql(query)]
    fields = (
        (5, "info.source_run_id", "UPDATE logged_models SET source_run_id = NULL WHERE model_id = ?"),
        (7, "missing", "UPDATE logged_models SET lifecycle_stage = 'deleted' WHERE model_id = ?"),
    )
    for number, field, statement in fields:
        about = planting.actual("logged model", models[number])
        yield Plant("logged model", models[number], field, statement, about)
    one_more = (
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms,"
        " last_updated_timestamp_ms, status, lifecycle_stage) SELECT 'm-extra', experiment_id, 'extra', 'x:',"
        " 1, 1, 2, 'active' FROM logged_models WHERE model_id = ?"
    )
    yield Plant("logged model", "m-extra", "extra", one_more, planting.actual("logged model", models[0]))


def _traces(planting: Planting) -> Iterator[Plant]:
    one_more = (
        "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status)"
        " SELECT 'tr-extra', experiment_id, 1, 1, 'OK' FROM trace_info WHERE request_id = ?"
    )
    traces = [f"tr-{(bytes([number + 1]) * 16).hex()}" for number in range(12)]
    yield Plant("trace", "tr-extra", "extra", one_more, traces[0])
    fields = (
        (8, "missing", "DELETE FROM trace_info WHERE request_id = ?"),
        (9, "client_request_id", "UPDATE trace_info SET client_request_id = 'x' WHERE request_id = ?"),
    )
    for number, field, statement in fields:
        yield Plant("trace", traces[number], field, statement, traces[number])


def _registered(planting: Planting) -> Iterator[Plant]:
    query = "SELECT name FROM registered_models WHERE name LIKE '% m' ORDER BY rowid"
    names = [row[0] for row in planting.source.sql(query)]
    versions = (
        (names[6], 2, "missing", "DELETE FROM model_versions WHERE version = 2 AND name = ?"),
        (names[6], 3, "status", "UPDATE model_versions SET status = 'FAILED_REGISTRATION'"
         " WHERE version = 3 AND name = ?"),
        (names[1], 77, "extra", "INSERT INTO model_versions (workspace, name, version, creation_time,"
         " last_updated_time, current_stage, status, source) SELECT workspace, name, 77, 1, 1, 'None',"
         " 'READY', 's3://x' FROM registered_models WHERE name = ?"),
        ("text prompt", 3, planting.tag("mlflow.prompt.text"), "UPDATE model_version_tags"
         " SET value = value || ' ' WHERE key = 'mlflow.prompt.text' AND version = 3 AND name = ?"),
    )  # fmt: skip
    for name, version, field, statement in versions:
        about = planting.actual("registered model", name)
        yield Plant("model version", f"{name}/{version}", field, statement, about)
    fields = (
        ("chät prompt", "aliases[production]", "UPDATE registered_model_aliases SET version = 4"
         " WHERE alias = 'production' AND name = ?"),
        (names[6], "aliases[new]", "INSERT INTO registered_model_aliases (workspace, name, alias, version)"
         " SELECT workspace, name, 'new', 3 FROM registered_models WHERE name = ?"),
    )  # fmt: skip
    for name, field, statement in fields:
        yield Plant("registered model", name, field, statement, planting.actual("registered model", name))
    if planting.keeps_ids:
        one_more = (
            "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time)"
            " SELECT workspace, 'extra', 1, 1 FROM registered_models WHERE name = ?"
        )
        yield Plant("registered model", "extra", "extra", one_more, names[0])
        one_more = (
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, workspace)"
            " SELECT 999, 'extra', 'x:', 'active', workspace FROM registered_models WHERE name = ?"
        )
        yield Plant("experiment", "999", "extra", one_more, names[0])
    hook = (
        "UPDATE webhook_events SET action = 'deleted' WHERE entity = 'model_version_alias'"
        " AND webhook_id IN (SELECT webhook_id FROM webhooks WHERE name = ?)"
    )
    ((own,),) = planting.source.sql("SELECT webhook_id FROM webhooks WHERE name = 'hook-1'")
    yield Plant("webhook", own if planting.keeps_ids else "hook-1", "events", hook, "hook-1")
    ids = planting.source.sql("SELECT experiment_id FROM experiments WHERE experiment_id > 0 ORDER BY 1")
    second = str(ids[1][0])
    scorer = (
        "DELETE FROM scorer_versions WHERE scorer_version = 3 AND scorer_id IN"
        " (SELECT scorer_id FROM scorers WHERE scorer_name = 'relevance' AND experiment_id = ?)"
    )
    about = planting.actual("experiment", second)
    yield Plant("scorer", f"{second}/relevance/3", "missing", scorer, about)


def _evaluation(planting: Planting) -> Iterator[Plant]:
    query = "SELECT dataset_id FROM evaluation_datasets WHERE name LIKE 'golden % 3'"
    ((dataset,),) = planting.source.sql(query)
    about = planting.actual("evaluation dataset", dataset)
    records = (
        "SELECT dataset_record_id, inputs FROM evaluation_dataset_records WHERE dataset_id = ? ORDER BY 1"
    )
    record, inputs = planting.source.sql(records, dataset)[0]
    wanted = json.loads(inputs)
    theirs = next(own for own, each in planting.target.sql(records, about) if json.loads(each) == wanted)
    shown = record if planting.keeps_ids else json.dumps(wanted, sort_keys=True)
    changed = "UPDATE evaluation_dataset_records SET expectations = '{\"a\": 1}' WHERE dataset_record_id = ?"
    field = f"records.{shown}"
    yield Plant("evaluation dataset", dataset, field, changed, theirs)
    unlinked = "DELETE FROM entity_associations WHERE source_type = 'evaluation_dataset' AND source_id = ?"
    yield Plant("evaluation dataset", dataset, "experiment_ids", unlinked, about)
