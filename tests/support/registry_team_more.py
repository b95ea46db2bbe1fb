"""What a team does with registered models, prompts, traces and evaluation datasets."""

from __future__ import annotations

import json
from typing import Any

from tests.support import history
from tests.support.history import V2, V3
from tests.support.registry_team_base import Basis

NUMBERS = (0.0, -0.0, 0.1, 1 / 3)


class More(Basis):
    """Changes of what stands beside experiments and runs."""

    # Registered models and prompts.

    def do_register(self) -> None:
        self.client.create_registered_model(
            self._next("model").replace("/", "-"), {"a": self._word()}, self._word()
        )

    def do_make_version(self) -> bool | None:
        model = self._some(self._registered())
        if model is None:
            return False
        run, logged = self._some(self._runs()), self._some(self._models())
        tags = {"v": self._word()}
        if logged is not None and self.random.random() < 0.4:
            made = self.client.create_model_version(
                model.name, f"models:/{logged.model_id}", tags=tags, model_id=logged.model_id
            )
        elif run is not None and self.random.random() < 0.7:
            place = f"{run.info.artifact_uri}/model"
            made = self.client.create_model_version(
                model.name, place, run.info.run_id, tags, description=self._word()
            )
        else:
            made = self.client.create_model_version(model.name, f"s3://bucket/{self.count}", tags=tags)
        if self.random.random() < 0.4:
            self.client.set_registered_model_alias(model.name, "newest", made.version)
        return None

    do_make_another_version = do_make_version

    def do_delete_version(self) -> bool | None:
        found = self._version()
        return found is not None and self.client.delete_model_version(found.name, found.version)

    def do_change_version(self) -> bool | None:
        found = self._version()
        return (
            found is not None
            and self.client.update_model_version(found.name, found.version, self._word())
            and None
        )

    def do_tag_version(self) -> bool | None:
        found = self._version()
        return found is not None and self.client.set_model_version_tag(
            found.name, found.version, self.random.choice("vw"), self._word()
        )

    def do_untag_version(self) -> bool | None:
        found = self._version()
        if found is None or "v" not in found.tags:
            return False
        return self.client.delete_model_version_tag(found.name, found.version, "v")

    def do_move_alias(self) -> bool | None:
        found = self._version()
        return found is not None and self.client.set_registered_model_alias(
            found.name, self.random.choice(("champion", "newest", "ü-x")), found.version
        )

    def do_delete_alias(self) -> bool | None:
        found = self._some(self._registered(), lambda each: bool(each.aliases))
        if found is None:
            return False
        return self.client.delete_registered_model_alias(found.name, self._some(sorted(found.aliases)))

    def do_change_stage(self) -> bool | None:
        found = self._version()
        if found is None:
            return False
        body = {"name": found.name, "version": str(found.version), "archive_existing_versions": False}
        body["stage"] = self.random.choice(("Staging", "Production", "Archived", "None"))
        self.server.ask("POST", f"{V2}/model-versions/transition-stage", body)
        return None

    def do_change_model(self) -> bool | None:
        found = self._some(self._registered())
        return found is not None and self.client.update_registered_model(found.name, self._word()) and None

    def do_tag_model(self) -> bool | None:
        found = self._some(self._registered())
        return found is not None and self.client.set_registered_model_tag(
            found.name, self.random.choice("abc"), self._word()
        )

    def do_untag_model(self) -> bool | None:
        found = self._some(self._registered(), lambda each: "a" in each.tags)
        return found is not None and self.client.delete_registered_model_tag(found.name, "a")

    def do_rename_model(self) -> bool | None:
        found = self._some(self._registered())
        return (
            found is not None
            and self.client.rename_registered_model(found.name, self._next("renamed").replace("/", "-"))
            and None
        )

    def do_delete_model(self) -> bool | None:
        if self.random.random() < 0.6 or (found := self._some(self._registered())) is None:
            return False
        return self.client.delete_registered_model(found.name)

    def do_write_prompt(self) -> None:
        name = f"prompt-{self.random.randrange(3)}"
        made = self.client.register_prompt(
            name, f"answer {{{{q}}}} {self._word()}", self._word() or None, {"k": self._word()}
        )
        if self.random.random() < 0.5:
            self.client.set_prompt_alias(name, "live", made.version)

    def do_tag_prompt(self) -> bool | None:
        found = self._some(sorted(self.client.search_prompts(), key=lambda each: each.name))
        return found is not None and self.client.set_prompt_tag(found.name, "team", self._word())

    # Traces.

    def do_write_trace(self) -> bool | None:
        run = self._some(self._runs())
        if run is None:
            return False
        self.count += 1
        history.trace_of(self.server, run.info.experiment_id, run.info.run_id, self.count.to_bytes(16, "big"))
        return None

    def do_tag_trace(self) -> bool | None:
        found = self._some(self._traces())
        return found is not None and self.client.set_trace_tag(
            found[1], self.random.choice("ab"), self._word()
        )

    def do_untag_trace(self) -> bool | None:
        found = self._some(self._traces(), lambda each: "a" in self.client.get_trace(each[1]).info.tags)
        return found is not None and self.client.delete_trace_tag(found[1], "a")

    def do_judge_trace(self) -> bool | None:
        found = self._some(self._traces())
        if found is None:
            return False
        given: dict[str, Any] = {
            "assessment_name": self.random.choice(("correct", "ü good")),
            "source": {"source_type": "HUMAN", "source_id": self._word() or "u"},
            **self.random.choice(
                (
                    {"feedback": {"value": self._word()}},
                    {"expectation": {"value": self.random.choice(NUMBERS)}},
                )
            ),
        }
        earlier = self._judgements(found[1])
        if earlier and self.random.random() < 0.4:
            one = self._some(earlier)
            if one.feedback is not None and one.valid is not False:
                given |= {"overrides": one.assessment_id, "feedback": {"value": "anew"}}
                given["assessment_name"] = one.name
                given.pop("expectation", None)
        self.server.ask("POST", f"{V3}/traces/{found[1]}/assessments", {"assessment": given})
        return None

    def _judgements(self, trace: str) -> list[Any]:
        found = self.client.get_trace(trace).info.assessments
        return sorted(found, key=lambda each: (each.create_time_ms, each.name))

    def do_change_judgement(self) -> bool | None:
        found = self._some(self._traces(), lambda each: bool(self._judgements(each[1])))
        if found is None:
            return False
        one = self._some(self._judgements(found[1]))
        path = f"{V3}/traces/{found[1]}/assessments/{one.assessment_id}"
        body = {"assessment": {"rationale": self._word() or "none"}, "update_mask": "rationale"}
        self.server.ask("PATCH", path, body)
        return None

    def do_delete_judgement(self) -> bool | None:
        found = self._some(self._traces(), lambda each: bool(self._judgements(each[1])))
        if found is None:
            return False
        one = self._some(self._judgements(found[1]))
        self.server.ask("DELETE", f"{V3}/traces/{found[1]}/assessments/{one.assessment_id}")
        return None

    def do_link_trace(self) -> bool | None:
        trace = self._some(self._traces())
        if trace is None:
            return False
        run = self._some(self._runs(), lambda each: each.info.experiment_id == trace[0])
        return run is not None and self.client.link_traces_to_run([trace[1]], run.info.run_id)

    def do_delete_trace(self) -> bool | None:
        found = self._some(self._traces())
        if found is None or self.random.random() < 0.5:
            return False
        self.client.delete_traces(found[0], trace_ids=[found[1]])
        return None

    # Evaluation datasets.

    def _dataset(self) -> Any:
        answer = self.server.ask("POST", f"{V3}/datasets/search", {"max_results": 50})
        return self._some(sorted(answer.get("datasets", []), key=lambda each: each["created_time"]))

    def do_make_dataset(self) -> bool | None:
        found = self._experiment()
        if found is None:
            return False
        body = {"name": self._next("golden"), "experiment_ids": [found.experiment_id], "tags": '{"a": "b"}'}
        self.server.ask("POST", f"{V3}/datasets/create", body)
        return None

    def do_write_records(self) -> bool | None:
        found = self._dataset()
        if found is None:
            return False
        records = []
        for _ in range(3):
            record: dict[str, Any] = {"inputs": {"q": self.random.randrange(12), "w": self._word()}}
            record["expectations"] = {"a": self._word()}
            record["tags"] = {"t": self._word()}
            record["outputs"] = self.random.choice((None, {}, {"o": 1}))
            record["source"] = self.random.choice(
                (None, {"source_type": "HUMAN", "source_data": {"source_id": "x"}}, {"source_type": "CODE"})
            )
            records.append({key: value for key, value in record.items() if key != "source" or value})
        self.server.ask(
            "POST", f"{V3}/datasets/{found['dataset_id']}/records", {"records": json.dumps(records)}
        )
        return None

    def do_tag_dataset(self) -> bool | None:
        found = self._dataset()
        if found is None:
            return False
        body = {"tags": json.dumps({self.random.choice("ab"): self._word()})}
        self.server.ask("PATCH", f"{V3}/datasets/{found['dataset_id']}/tags", body)
        return None

    def do_delete_dataset(self) -> bool | None:
        found = self._dataset()
        if found is None or self.random.random() < 0.7:
            return False
        self.server.ask("DELETE", f"{V3}/datasets/{found['dataset_id']}")
        return None
