"""Differences that are planted in a copy of a hostile history, each with what a proof must say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.planted_further import Found, Plant, further
from tests.support.tracking_server import Server


@dataclass(frozen=True)
class Planting:
    """Plants differences.

    :param actual: the target's id of a thing, from its kind and the source's id.
    :param tag: how a tag of one name is told in a field, where the target's ids are its own.
    """

    source: Server
    target: Server
    actual: Callable[[str, str], str]
    tag: Callable[[str], str]

    @property
    def keeps_ids(self) -> bool:
        """Tell whether the target's ids are the source's."""
        return self.tag("") == "tags[]"

    def all(self) -> list[Plant]:
        """Return all differences, at least one of each kind."""
        return [
            *self._runs(),
            *self._experiments(),
            *self._models(),
            *self._traces(),
            *self._registered(),
            *further(self),
        ]

    def plant(self) -> set[Found]:
        """Make all differences; return what must be found."""
        plants = self.all()
        for each in plants:
            changed = self.target.sql(f"{each.statement} RETURNING 1", each.about)
            assert changed, each
        return {(each.what, each.id, each.field) for each in plants}

    def _runs(self) -> Iterator[Plant]:
        rows = self.source.sql("SELECT run_uuid FROM runs ORDER BY rowid")
        runs = [row[0] for row in rows]
        points = (
            (0, "loss", "DELETE FROM metrics WHERE step = 7 AND key = 'loss'"),
            (1, "loss", "UPDATE metrics SET timestamp = timestamp + 1 WHERE step = 1000000 AND key = 'loss'"),
            (2, "loss", "UPDATE metrics SET step = -4 WHERE step = -3 AND key = 'loss'"),
            (
                4,
                "nan and zero",
                "UPDATE metrics SET is_nan = 0, value = 7 WHERE is_nan AND key = 'nan and zero'",
            ),
            (5, "again", "UPDATE metrics SET value = 2.0000000000000004 WHERE value = 2 AND key = 'again'"),
        )
        for number, key, statement in points:
            about = self.actual("run", runs[number])
            yield Plant(
                "metric history", f"{runs[number]}/{key}", "points", f"{statement} AND run_uuid = ?", about
            )
        fields = (
            (0, "data.params[empty]", "UPDATE params SET value = 'x' WHERE key = 'empty' AND run_uuid"),
            (1, "data.params[p]", "DELETE FROM params WHERE key = 'p' AND run_uuid"),
            (2, f"data.{self.tag('empty')}", "UPDATE tags SET value = ' ' WHERE key = 'empty' AND run_uuid"),
            (3, f"data.{self.tag('long')}", "DELETE FROM tags WHERE key = 'long' AND run_uuid"),
            (4, "info.start_time", "UPDATE runs SET start_time = start_time + 1 WHERE run_uuid"),
            (1, "info.end_time", "UPDATE runs SET end_time = end_time - 1 WHERE run_uuid"),
            (6, "info.status", "UPDATE runs SET status = 'KILLED' WHERE run_uuid"),
            (8, "info.lifecycle_stage", "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid"),
            (9, "info.lifecycle_stage", "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid"),
            (10, "info.run_name", "UPDATE runs SET name = name || ' ' WHERE run_uuid"),
            (10, "info.user_id", "UPDATE runs SET user_id = 'x' WHERE run_uuid"),
            (
                6,
                "data.metrics[timeless]",
                "UPDATE latest_metrics SET value = 2 WHERE key = 'timeless' AND run_uuid",
            ),
            (
                11,
                "inputs.dataset_inputs",
                "DELETE FROM inputs WHERE source_type = 'DATASET' AND destination_id",
            ),
            (
                1,
                "outputs.model_outputs",
                "UPDATE inputs SET step = 5 WHERE source_type = 'RUN_OUTPUT' AND source_id",
            ),
        )
        for number, field, statement in fields:
            yield Plant("run", runs[number], field, f"{statement} = ?", self.actual("run", runs[number]))

    def _experiments(self) -> Iterator[Plant]:
        rows = self.source.sql("SELECT experiment_id FROM experiments WHERE experiment_id > 0 ORDER BY 1")
        ids = [str(row[0]) for row in rows]
        fields = (
            (4, "name", "UPDATE experiments SET name = name || '.' WHERE experiment_id"),
            (
                5,
                self.tag("empty"),
                "UPDATE experiment_tags SET value = 'x' WHERE key = 'empty' AND experiment_id",
            ),
            (9, "lifecycle_stage", "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id"),
        )
        for number, field, statement in fields:
            yield Plant(
                "experiment", ids[number], field, f"{statement} = ?", self.actual("experiment", ids[number])
            )
        scorer = (
            "UPDATE scorer_versions SET serialized_scorer = '{}' WHERE scorer_version = 1 AND scorer_id IN"
            " (SELECT scorer_id FROM scorers WHERE scorer_name = 'relevance' AND experiment_id = ?)"
        )
        yield Plant(
            "scorer", f"{ids[0]}/relevance/1", "serialized_scorer", scorer, self.actual("experiment", ids[0])
        )

    def _models(self) -> Iterator[Plant]:
        rows = self.source.sql(
            "SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active' ORDER BY rowid"
        )
        models = [row[0] for row in rows]
        fields = (
            (
                0,
                "data.params[trees]",
                "UPDATE logged_model_params SET param_value = '8' WHERE param_key = 'trees'",
            ),
            (1, "info.status", "UPDATE logged_models SET status = 4 - status % 2 - 1 WHERE status > 0"),
            (2, f"info.{self.tag('empty')}", "DELETE FROM logged_model_tags WHERE tag_key = 'empty'"),
            (2, "data.metrics", "UPDATE logged_model_metrics SET metric_value = 9 WHERE metric_name = 'far'"),
            (4, "info.name", "UPDATE logged_models SET name = 'x' WHERE status > 0"),
        )
        for number, field, statement in fields:
            about = self.actual("logged model", models[number])
            yield Plant("logged model", models[number], field, f"{statement} AND model_id = ?", about)

    def _traces(self) -> Iterator[Plant]:
        fields = (
            (0, "tags.empty", "DELETE FROM trace_tags WHERE key = 'empty' AND request_id"),
            (
                1,
                "trace_metadata.long",
                "UPDATE trace_request_metadata SET value = 'x' WHERE key = 'long' AND request_id",
            ),
            (0, "state", "UPDATE trace_info SET status = 'ERROR' WHERE request_id"),
            (3, "request_time", "UPDATE trace_info SET timestamp_ms = timestamp_ms + 1 WHERE request_id"),
            (4, "execution_duration", "UPDATE trace_info SET execution_time_ms = 77 WHERE request_id"),
            (5, "response_preview", "UPDATE trace_info SET response_preview = 'x' WHERE request_id"),
            (
                7,
                "assessments",
                "UPDATE assessments SET rationale = 'x' WHERE assessment_type = 'feedback' AND trace_id",
            ),
            (3, "assessments", "DELETE FROM assessments WHERE assessment_type = 'expectation' AND trace_id"),
            (9, "assessments", "UPDATE assessments SET valid = 1 - valid WHERE trace_id"),
            (10, "spans.AgICAgICAgI=", "DELETE FROM spans WHERE span_id LIKE '0202%' AND trace_id"),
            (
                11,
                "spans.AgICAgICAgI=",
                'UPDATE spans SET content = replace(content, \'"n": "-1"\', \'"n": "-2"\')'
                " WHERE span_id LIKE '0202%' AND trace_id",
            ),
        )
        for number, field, statement in fields:
            trace = f"tr-{(bytes([number + 1]) * 16).hex()}"
            yield Plant("trace", trace, field, f"{statement} = ?", trace)

    def _registered(self) -> Iterator[Plant]:
        rows = self.source.sql("SELECT name FROM registered_models WHERE name LIKE '% m' ORDER BY rowid")
        names = [row[0] for row in rows]
        fields = (
            (0, "description", "UPDATE registered_models SET description = 'x' WHERE name"),
            (
                1,
                "aliases[champion]",
                "DELETE FROM registered_model_aliases WHERE alias = 'champion' AND name",
            ),
            (
                2,
                "aliases[moved]",
                "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'moved' AND name",
            ),
            (
                3,
                self.tag("empty"),
                "UPDATE registered_model_tags SET value = '-' WHERE key = 'empty' AND name",
            ),
        )
        for number, field, statement in fields:
            name = names[number]
            yield Plant(
                "registered model", name, field, f"{statement} = ?", self.actual("registered model", name)
            )
        versions = (
            (0, 4, "source", "UPDATE model_versions SET source = 's3://x/y' WHERE version = 4 AND name"),
            (
                0,
                3,
                "current_stage",
                "UPDATE model_versions SET current_stage = 'None' WHERE version = 3 AND name",
            ),
            (2, 2, "description", "UPDATE model_versions SET description = '' WHERE version = 2 AND name"),
            (
                3,
                4,
                self.tag("long"),
                "DELETE FROM model_version_tags WHERE key = 'long' AND version = 4 AND name",
            ),
            (4, 4, "run_link", "UPDATE model_versions SET run_link = 'x' WHERE version = 4 AND name"),
            (5, 2, "run_id", "UPDATE model_versions SET run_id = NULL WHERE version = 2 AND name"),
        )
        for number, version, field, statement in versions:
            name = names[number]
            about = self.actual("registered model", name)
            yield Plant("model version", f"{name}/{version}", field, f"{statement} = ?", about)
        ((dataset,),) = self.source.sql(
            "SELECT dataset_id FROM evaluation_datasets WHERE name LIKE 'golden % 2'"
        )
        about = self.actual("evaluation dataset", dataset)
        ((hook,),) = self.source.sql("SELECT webhook_id FROM webhooks WHERE name = 'hook-1'")
        # It has no tags: where ids are not kept it is known by its name.
        shown = hook if about == dataset else "hook-1"
        changed = "UPDATE webhooks SET url = 'https://x' WHERE name = ?"
        yield Plant("webhook", shown, "url", changed, "hook-1")
        tag = "UPDATE evaluation_dataset_tags SET value = 'x' WHERE key = 'empty' AND dataset_id = ?"
        if about == dataset:
            # What the interface does not carry.
            for what, ids, field, statement in (
                ("issue", "SELECT issue_id FROM issues", "status",
                 "UPDATE issues SET status = 'resolved' WHERE issue_id = ?"),
                ("review queue", "SELECT queue_id FROM review_queues WHERE name = 'queue ü'", "name",
                 "UPDATE review_queues SET name = 'x' WHERE queue_id = ?"),
                ("gateway secret", "SELECT secret_id FROM secrets", "provider",
                 "UPDATE secrets SET provider = 'x' WHERE secret_id = ?"),
            ):  # fmt: skip
                own = self.source.sql(ids)[0][0]
                yield Plant(what, own, field, statement, own)
        yield Plant("evaluation dataset", dataset, "tags.empty", tag, about)
