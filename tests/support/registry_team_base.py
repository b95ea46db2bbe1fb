"""What a team needs to work at random: a client, words, and what there is to be changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import ViewType

from tests.support.tracking_server import Server

WORDS = ("", "plain", "ü 漢字 🧪", "a \"quoted\" 'one'", "line\nbreak", "x" * 900, "100 % %2F", " spaced ")


class Basis:
    """Whoever writes to a server; what is chosen hangs on the seed alone."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.client = MlflowClient(server.url, server.url)
        self.random = random.Random(seed)
        self.count = seed * 100_000
        self.done: list[str] = []

    def work(self, changes: int) -> None:
        """Make some changes, each of a kind that is possible at that time."""
        kinds = sorted(each for each in dir(self) if each.startswith("do_"))
        while changes:
            kind = self.random.choice(kinds)
            if getattr(self, kind)() is not False:
                self.done.append(kind)
                changes -= 1

    def _next(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count} {self._word()[:20].strip()}".strip()

    def _word(self) -> str:
        return self.random.choice(WORDS)

    def _some(self, things: list[Any], wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        fitting = [each for each in things if wanted(each)]
        return self.random.choice(fitting) if fitting else None

    def _experiment(self, view: int = ViewType.ACTIVE_ONLY) -> Any:
        found = [each for each in self.client.search_experiments(view) if each.experiment_id != "0"]
        return self._some(sorted(found, key=lambda each: each.creation_time))

    def _runs(self, view: int = ViewType.ACTIVE_ONLY) -> list[Any]:
        ids = [each.experiment_id for each in self.client.search_experiments(ViewType.ACTIVE_ONLY)]
        found = self.client.search_runs(ids, run_view_type=view, max_results=1000)
        return sorted(found, key=lambda each: each.info.start_time)

    def _models(self) -> list[Any]:
        ids = [each.experiment_id for each in self.client.search_experiments(ViewType.ACTIVE_ONLY)]
        return sorted(self.client.search_logged_models(ids), key=lambda each: each.creation_timestamp)

    def _registered(self) -> list[Any]:
        return sorted(self.client.search_registered_models(), key=lambda each: each.creation_timestamp)

    def _version(self) -> Any:
        found = self.client.search_model_versions("", max_results=1000)
        return self._some(sorted(found, key=lambda each: (each.name, int(each.version))))

    def _traces(self) -> list[tuple[str, str]]:
        found = [
            (each.experiment_id, trace.info.trace_id)
            for each in self.client.search_experiments(ViewType.ACTIVE_ONLY)
            for trace in self.client.search_traces(
                locations=[each.experiment_id], max_results=500, include_spans=False
            )
        ]
        return sorted(found, key=lambda each: each[1])
