"""The steps that people take with a device, asked for where the DAG has come to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.appliance import shipment_request
from heavylift_airflow.progress import human_size
from heavylift_airflow.task import HeavyliftTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.objects.appliances.custody import DeviceCustody
    from heavylift_airflow.context import TaskFrame

DONE, LOST = "Done", "Lost or damaged"
REASON = "reason"
MAX_ANSWER = 500

_FIELDS: Mapping[str, Mapping[str, str]] = {
    "ordered": {"job": "Order or job number of the provider"},
    "delivered": {
        "serial": "Serial or asset number of the device",
        "mounted_at": "Folder below the spec's mount where it is mounted (empty: the device's name)",
    },
    "shipped": {
        "tracking": "Tracking number of the shipment",
        "carrier": "Who carries it",
        "seal": "Number of its seal",
    },
    "ingested": {"job": "Number of the provider's ingest job, if it has one"},
}
"""What is asked for at each step: fact → title."""

_ASKED = {
    "ordered": "Order the device",
    "delivered": "Mount the device that was delivered",
    "shipped": "Ship the device",
    "ingested": "Confirm that the provider has ingested the device",
}
_BEFORE = {"ordered": "planned", "delivered": "ordered", "shipped": "loaded", "ingested": "shipped"}


class DeviceStepOperator(HeavyliftTask, HITLOperator):
    """Asks a person to take a step with a device, and records who took it and what they said.

    The answer goes into the device's custody and the audit trail; what follows reads it there, so
    marking this task successful moves no device on. ``Lost or damaged`` ends the device: the rest
    of its tasks is skipped, and its objects go online or onto a device in its place.

    Idempotency: where the step is recorded already, nobody is asked again. An answer that cannot
    be used fails the task; clear it to be asked again.

    :param dataset: the dataset's name in the spec. (templated)
    :param device: one item of what ``PlanDevicesOperator`` returned. (templated)
    :param state: ``ordered``, ``delivered``, ``shipped`` or ``ingested``.
    :raises IncompleteError: the step before this one is not recorded.
    :raises PermanentError: the answer lacks a fact.
    """

    template_fields: Sequence[str] = (
        *HeavyliftTask.template_fields,
        *HITLOperator.template_fields,
        "dataset",
        "device",
    )
    operator_extra_links = HeavyliftTask.operator_extra_links

    def __init__(self, *, dataset: str, device: dict[str, Any], state: str, **kwargs: Any) -> None:
        kwargs.setdefault("subject", _ASKED[state])
        kwargs.setdefault("options", [DONE, LOST])
        kwargs.setdefault("params", _params(state))
        super().__init__(**kwargs)
        self.dataset = dataset
        self.device = device
        self.state = state

    def execute(self, context: Context) -> Any:
        """Ask, unless the step is recorded already."""
        frame = self.moving_frame(context)
        custody = self._custody(frame)
        if self._is_reached(custody):
            self.log.info("device %s is %s already", custody.device, custody.state.value)
            return {"device": custody.device, "state": custody.state.value}
        if custody.state.value != _BEFORE[self.state]:
            raise _out_of_order(custody, self.state)
        self.subject = f"{_ASKED[self.state]} {custody.device}"
        self.body = self._text(frame, custody)
        super().execute(context)
        return None

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer, then go on, or skip the rest of a lost device's tasks."""
        answer = super().execute_complete(context, event)
        frame = self.frame(context)
        custody = self._custody(frame)
        if not self._is_reached(custody):
            custody = self.work.run(
                self._record(frame, answer), f"recording the answer about {custody.device}"
            )
        if custody.state.value == "lost":
            raise AirflowSkipException(
                f"device {custody.device} is lost: its objects go online or are planned anew"
            )
        return {"device": custody.device, "state": custody.state.value}

    def _custody(self, frame: TaskFrame) -> DeviceCustody:
        custody = self.work.run(self._read(frame), f"reading the custody of device {self.device['device']}")
        if custody.state.value == "lost":
            raise AirflowSkipException(f"device {custody.device} is lost")
        return custody

    async def _read(self, frame: TaskFrame) -> DeviceCustody:
        from heavylift.objects.appliances.standing import device_custody

        return await device_custody(shipment_request(frame, self.dataset), str(self.device["device"]))

    def _is_reached(self, custody: DeviceCustody) -> bool:
        from heavylift.objects.appliances.records import Custody

        return custody.has_reached(Custody(self.state))

    async def _record(self, frame: TaskFrame, answer: Mapping[str, Any]) -> DeviceCustody:
        from heavylift.objects.appliances.api import take_step
        from heavylift.objects.appliances.custody import Step
        from heavylift.objects.appliances.records import Custody

        user = answer.get("responded_by_user") or {"id": "nobody", "name": "nobody (no answer in time)"}
        lost = answer["chosen_options"] == [LOST]
        step = Step(
            state=Custody.LOST if lost else Custody(self.state),
            actor=str(user["id"]),
            actor_name=str(user["name"]),
            facts=self._facts(answer.get("params_input") or {}, lost=lost),
        )
        return await take_step(shipment_request(frame, self.dataset), str(self.device["device"]), step)

    def _facts(self, given: Mapping[str, Any], *, lost: bool) -> dict[str, str]:
        names = (*_FIELDS[self.state], REASON)
        facts = {name: str(given.get(name) or "").strip()[:MAX_ANSWER] for name in names}
        if self.state == "delivered" and not lost:
            facts["mounted_at"] = facts["mounted_at"] or str(self.device["device"])
        return {name: value for name, value in facts.items() if value}

    def _text(self, frame: TaskFrame, custody: DeviceCustody) -> str:
        facts = {
            name: value for name in ("job", "serial", "tracking", "seal") if (value := custody.fact(name))
        }
        size = human_size(float(self.device["size_bytes"]))
        return "\n".join(
            [
                f"Migration **{frame.spec.migration}**, dataset **{self.dataset}**,"
                f" started by {frame.actor}.",
                "",
                f"Device **{custody.device}**: {self.device['objects']:,} objects, {size};"
                f" it is {custody.state.value}.",
                "",
                *[f"- {name}: `{value.replace('`', '')}`" for name, value in facts.items()],
                "",
                "Your answer is kept in the device's custody and in the audit trail.",
            ]
        )


def _params(state: str) -> dict[str, Param]:
    # Nullable: Airflow checks parameters when the task starts, before anybody could have typed.
    titles = {**_FIELDS[state], REASON: "Why it is lost, or anything to keep"}
    return {
        name: Param(None, type=["null", "string"], maxLength=MAX_ANSWER, title=title)
        for name, title in titles.items()
    }


def _out_of_order(custody: DeviceCustody, state: str) -> IncompleteError:
    return IncompleteError(
        f"asking for device {custody.device} to be {state}",
        got=f"a device that is {custody.state.value}",
        expected=f"one that is {_BEFORE[state]}",
        state="nobody was asked; marking a task successful does not record its step",
        remedy="clear the task of the step that is missing, with Downstream, and do what it asks",
        code="8050",
    )
