"""Which experiments and registered models of a source move: all, or those whose names fit a pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted

_ALL = ("*",)


@dataclass(frozen=True)
class Selection:
    """What is chosen, by patterns of names: ``*``, ``?`` and ``[a-z]``, of which ``*`` takes slashes, too."""

    experiments: tuple[str, ...] = _ALL
    models: tuple[str, ...] = _ALL

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing is left out."""
        return (self.experiments, self.models) == (_ALL, _ALL)

    @property
    def takes_all_experiments(self) -> bool:
        """Tell whether no experiment is left out."""
        return self.experiments == _ALL

    def experiment(self, name: str) -> bool:
        """Tell whether an experiment is chosen."""
        return any(fnmatchcase(name, each) for each in self.experiments)

    def model(self, name: str) -> bool:
        """Tell whether a registered model, or a prompt, is chosen."""
        return any(fnmatchcase(name, each) for each in self.models)


@dataclass
class Selected:
    """What a source's server is seen to have: the answers to its searches, without what is not chosen.

    All that belongs to an experiment or a model is asked for by that, and needs no look.

    :param experiments: ids of chosen experiments that were met; ``others`` of those that stay behind.
    :param models: names of registered models that stay behind.
    """

    selection: Selection
    experiments: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    def __call__(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer of the server's without what is not chosen."""
        for name, fits in self._fitting.items():
            if isinstance(answer.get(name), list):
                answer[name] = [each for each in answer[name] if fits(each)]
        if "webhooks" in answer:
            # They tell of everything, and have no name that a pattern could mean.
            answer["webhooks"] = []
        return answer

    def takes_any(self, experiments: Iterable[str]) -> bool:
        """Tell whether one of these experiments of the source, by id, has been met and is chosen."""
        return not self.experiments.isdisjoint(experiments)

    def leaves_out(self, kind: str, own: str) -> bool:
        """Tell whether a thing of the source, by id, is one that stays behind.

        :param own: of a version its model's name and number, with a slash between.
        """
        if kind == "experiment":
            return own in self.others
        if kind == "model version":
            return not self.selection.model(own.rpartition("/")[0])
        return kind == "registered model" and not self.selection.model(own)

    @property
    def _fitting(self) -> Mapping[str, Callable[[dict[str, Any]], bool]]:
        of_models = self._model
        return {
            "experiments": self._experiment, "registered_models": of_models, "model_versions": of_models,
        }  # fmt: skip

    def _experiment(self, raw: dict[str, Any]) -> bool:
        fits = self.selection.experiment(str(raw["name"]))
        (self.experiments if fits else self.others).add(str(raw["experiment_id"]))
        return fits

    def _model(self, raw: dict[str, Any]) -> bool:
        name = str(raw["name"])
        fits = self.selection.model(name)
        if not fits:
            self.models.add(name)
        return fits


def left_out(experiments: int | None, models: int) -> Finding:
    """Return the note on what stays behind because it was not chosen.

    :param experiments: None where nobody has counted those that stay.
    """
    others = "experiments" if experiments is None else counted(experiments, "experiment")
    return Finding(
        rule="not-chosen",
        severity=Severity.NOTE,
        subject="experiments and models",
        detail=f"{others} and {counted(models, 'registered model')} of the source stay behind: they were not"
        " chosen",
        remedy="none, if that is meant; else choose them: experiments and models of the registry in the spec,"
        " --experiment and --model in a shell",
    )


def selected_of(selection: Selection) -> Selected | None:
    """Return through what a source is seen; None where all of it is chosen."""
    return None if selection.is_everything else Selected(selection)
