"""Reads SageMaker's experiments, trials and trial components as SageMaker describes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from heavylift.errors import NotFoundError
from heavylift.registry.selection import Selection

Shape = Mapping[str, Any]
_OLDEST_FIRST = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
_KEPT = 5000
"""Descriptions that are kept for a second reading; beyond, they are read again."""
AT_ONCE = 50


@dataclass(frozen=True)
class Held:
    """A thing as SageMaker describes it, with its tags."""

    described: Shape
    tags: Mapping[str, str]


class Service(Protocol):
    """The calls of one region; they only read."""

    region: str

    async def call(self, operation: str, arguments: Shape, service: str = "sagemaker") -> Shape:
        """Return the answer of one call."""
        ...

    async def listed(self, operation: str, field: str, **arguments: Any) -> list[Shape]:
        """Return what all pages of a list hold."""
        ...

    def offers(self, service: str) -> bool:
        """Tell whether the region has a service."""
        ...


@dataclass
class Trials:
    """The experiments of one region.

    What is deleted between its listing and its description is left out, as if it had not been listed.

    :param selection: which experiments are told of.
    """

    service: Service
    selection: Selection = field(default_factory=Selection)
    _kept: dict[str, Held | None] = field(default_factory=dict)

    async def experiments(self) -> list[Held]:
        """Return all experiments, the oldest first."""
        listed = await self.service.listed("ListExperiments", "ExperimentSummaries", **_OLDEST_FIRST)
        names = [str(each["ExperimentName"]) for each in listed]
        return await self._all([self._experiment(each) for each in names if self.selection.experiment(each)])

    async def trials(self, experiment: str) -> list[Held]:
        """Return an experiment's trials, the oldest first."""
        listed = await self.service.listed(
            "ListTrials", "TrialSummaries", ExperimentName=experiment, **_OLDEST_FIRST
        )
        return await self._all([self._trial(str(each["TrialName"])) for each in listed])

    async def components(self, trial: str) -> AsyncIterator[list[Held]]:
        """Yield a trial's components, the oldest first, some at a time."""
        names = await self.names_of_components(trial)
        for start in range(0, len(names), AT_ONCE):
            yield await self._all([self._component(name) for name in names[start : start + AT_ONCE]])

    async def names_of_components(self, trial: str = "") -> list[str]:
        """Return the names of a trial's components; of all that there are where none is named."""
        of = {"TrialName": trial} if trial else {}
        listed = await self.service.listed(
            "ListTrialComponents", "TrialComponentSummaries", **of, **_OLDEST_FIRST
        )
        return [str(each["TrialComponentName"]) for each in listed]

    async def component(self, name: str) -> Held | None:
        """Return one component."""
        return await self._component(name)

    async def _experiment(self, name: str) -> Held | None:
        return await self._held("DescribeExperiment", "ExperimentName", "ExperimentArn", name)

    async def _trial(self, name: str) -> Held | None:
        return await self._held("DescribeTrial", "TrialName", "TrialArn", name)

    async def _component(self, name: str) -> Held | None:
        return await self._held("DescribeTrialComponent", "TrialComponentName", "TrialComponentArn", name)

    async def _held(self, operation: str, by: str, arn: str, name: str) -> Held | None:
        key = f"{by}/{name}"
        if key in self._kept:
            return self._kept[key]
        found = None
        try:
            described = await self.service.call(operation, {by: name})
            tags = await self.service.listed("ListTags", "Tags", ResourceArn=str(described[arn]))
            found = Held(described, {str(each["Key"]): str(each["Value"]) for each in tags})
        except NotFoundError:
            pass
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = found
        return found

    @staticmethod
    async def _all(reading: Sequence[Awaitable[Held | None]]) -> list[Held]:
        return [each for each in await asyncio.gather(*reading) if each is not None]
