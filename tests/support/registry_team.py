"""A team at work: random changes of a tracking server through MLflow's own client, for rounds and rounds."""

from __future__ import annotations

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
    ViewType,
)

from tests.support import history
from tests.support.registry_team_more import More

NUMBERS = (0.0, -0.0, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), -float("inf"))


class Team(More):
    """Whoever writes to a server."""

    # Experiments.

    def do_make_experiment(self) -> None:
        self.client.create_experiment(self._next("experiment"), tags={"about": self._word() or "-"})

    def do_rename_experiment(self) -> bool | None:
        found = self._experiment()
        return found is not None and self.client.rename_experiment(found.experiment_id, self._next("renamed"))

    def do_swap_experiments(self) -> bool | None:
        """Give the name of one to another."""
        found = self.client.search_experiments(ViewType.ACTIVE_ONLY, filter_string="name != 'Default'")
        if len(found) < 2:
            return False
        one, other = self.random.sample(sorted(found, key=lambda each: each.creation_time), 2)
        self.client.rename_experiment(one.experiment_id, self._next("was"))
        return self.client.rename_experiment(other.experiment_id, one.name)

    def do_tag_experiment(self) -> bool | None:
        found = self._experiment()
        return found is not None and self.client.set_experiment_tag(
            found.experiment_id, self.random.choice("abc"), self._word()
        )

    def do_untag_experiment(self) -> bool | None:
        found = self._experiment()
        tags = (
            [] if found is None else sorted(each for each in found.tags if not each.startswith("heavylift."))
        )
        if not tags:
            return False
        return self.client.delete_experiment_tag(found.experiment_id, self._some(tags))

    def do_delete_experiment(self) -> bool | None:
        if self.random.random() < 0.6 or (found := self._experiment()) is None:
            return False
        return self.client.delete_experiment(found.experiment_id)

    def do_restore_experiment(self) -> bool | None:
        found = self._experiment(ViewType.DELETED_ONLY)
        return found is not None and self.client.restore_experiment(found.experiment_id)

    # Runs.

    def do_make_run(self) -> bool | None:
        found = self._experiment()
        if found is None:
            return False
        parent = self._some(self._runs(), lambda r: r.info.experiment_id == found.experiment_id)
        tags = {"mlflow.user": "u", "t": self._word()}
        if parent is not None and self.random.random() < 0.4:
            tags["mlflow.parentRunId"] = parent.info.run_id
        name = self.random.choice((self._next("run"), None))
        self.count += 1
        run = self.client.create_run(found.experiment_id, history.BEGAN + self.count, tags, name)
        self._log(run.info.run_id)
        if self.random.random() < 0.6:
            self.client.set_terminated(run.info.run_id, self.random.choice(("FINISHED", "FAILED", "KILLED")))
        return None

    do_make_another_run = do_make_run

    def _log(self, run: str) -> None:
        points = [
            Metric(
                self.random.choice(("loss", "acc/ü", "m.x")),
                self.random.choice(NUMBERS),
                history.BEGAN + self.random.randrange(1000),
                self.random.randrange(-2, 9),
            )
            for _ in range(self.random.randrange(12))
        ]
        self.count += 1
        params = [Param(f"p{self.count}", self._word())]
        tags = [RunTag(self.random.choice("abcd"), self._word())]
        self.client.log_batch(run, points, params, tags)
        if self.random.random() < 0.3:
            self.client.log_text(run, self._word() * 9, self.random.choice(("a.txt", "ü/b c.txt")))

    def do_log_more(self) -> bool | None:
        found = self._some(self._runs(), lambda each: each.info.status == "RUNNING")
        return found is not None and self._log(found.info.run_id)

    do_log_yet_more = do_log_more

    def do_use_data(self) -> bool | None:
        found = self._some(self._runs(), lambda each: each.info.status == "RUNNING")
        if found is None:
            return False
        data = Dataset(
            f"set {self._word()[:9]}", str(self.random.randrange(3)), "local", '{"uri": "/x"}', "{}", "{}"
        )
        used = DatasetInput(data, [InputTag("mlflow.data.context", self._word()[:400])])
        model = self._some(self._models())
        models = [LoggedModelInput(model.model_id)] if model is not None else None
        return self.client.log_inputs(found.info.run_id, [used], models)

    def do_end_run(self) -> bool | None:
        found = self._some(self._runs(), lambda each: each.info.status == "RUNNING")
        return found is not None and self.client.set_terminated(found.info.run_id)

    def do_tag_run(self) -> bool | None:
        found = self._some(self._runs())
        return found is not None and self.client.set_tag(
            found.info.run_id, self.random.choice("abcd"), self._word()
        )

    def do_untag_run(self) -> bool | None:
        found = self._some(self._runs())
        tags = [] if found is None else [each for each in "abcdt" if each in found.data.tags]
        return False if not tags else self.client.delete_tag(found.info.run_id, self._some(tags))

    def do_rename_run(self) -> bool | None:
        found = self._some(self._runs())
        return found is not None and self.client.update_run(found.info.run_id, name=self._next("called"))

    def do_reopen_run(self) -> bool | None:
        found = self._some(self._runs(), lambda each: each.info.status == "FAILED")
        return found is not None and self.client.update_run(found.info.run_id, "RUNNING")

    def do_delete_run(self) -> bool | None:
        found = self._some(self._runs())
        return found is not None and self.client.delete_run(found.info.run_id)

    def do_restore_run(self) -> bool | None:
        found = self._some(self._runs(ViewType.DELETED_ONLY))
        return found is not None and self.client.restore_run(found.info.run_id)

    # Logged models.

    def do_make_logged_model(self) -> bool | None:
        run = self._some(self._runs(), lambda each: each.info.status == "RUNNING")
        if run is None:
            return False
        made = self.client.create_logged_model(
            run.info.experiment_id,
            f"model{self.random.randrange(5)}",
            run.info.run_id,
            {"a": self._word()},
            {"depth": self._word()},
            "Classifier",
        )
        self.client.log_outputs(run.info.run_id, [LoggedModelOutput(made.model_id, 3)])
        for step in range(2):
            self.client.log_metric(
                run.info.run_id, "auc", 0.5 + step, history.BEGAN + step, step, model_id=made.model_id
            )
        if self.random.random() < 0.7:
            self.client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
        return None

    def do_tag_logged_model(self) -> bool | None:
        found = self._some(self._models())
        return found is not None and self.client.set_logged_model_tags(
            found.model_id, {self.random.choice("ab"): self._word()}
        )

    def do_untag_logged_model(self) -> bool | None:
        found = self._some(self._models(), lambda each: "a" in each.tags)
        return found is not None and self.client.delete_logged_model_tag(found.model_id, "a")

    def do_end_logged_model(self) -> bool | None:
        found = self._some(self._models(), lambda each: each.status == LoggedModelStatus.PENDING)
        return (
            found is not None
            and self.client.finalize_logged_model(
                found.model_id, self.random.choice((LoggedModelStatus.READY, LoggedModelStatus.FAILED))
            )
            and None
        )
