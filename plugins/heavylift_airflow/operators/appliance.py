"""Operators of the offline path: plan devices, load, check, ingest and reconcile each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.transfer import DatasetOperator
from heavylift_airflow.progress import ProgressReporter, state_store_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.objects.appliances.records import ShipmentPlan
    from heavylift.objects.appliances.requests import ApplianceRequest
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5


def shipment_request(frame: TaskFrame, dataset: str) -> ApplianceRequest:
    """Return the library's request for a dataset's devices in this run."""
    from heavylift.objects.appliances.requests import appliance_request

    return appliance_request(
        frame.spec,
        dataset,
        frame.run,
        look_up,
        bandwidth_bytes_per_second=frame.options.bandwidth_bytes_per_second,
    )


class PlanDevicesOperator(DatasetOperator):
    """Packs what the target lacks of a dataset onto devices, and names what goes online.

    Idempotency: the plan is made once in a run; a second run of the task returns it, with a device
    more for each one that has been lost since. Nothing is moved.

    :return: one item for each device, ``{"device": str, "objects": int, "size_bytes": int}``, for
        the rest to be mapped over; empty in a dry run.
    :raises SpecError: the device cannot be used.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, note the plan in the audit trail, and return the devices."""
        frame = self.frame(context)
        plan = self.work.run(self._plan(frame), f"planning of devices for dataset {self.dataset!r}")
        summary = shipment_figures(plan)
        self.log.info("%s", summary)
        for finding in plan.findings[:MAX_NAMED]:
            self.log.warning("%s: %s: %s", finding.severity, finding.detail, finding.remedy)
        context["ti"].xcom_push(key="plan", value=summary)
        if frame.options.dry_run:
            return []
        return [
            {
                "device": device.id,
                "objects": device.planned.objects,
                "size_bytes": device.planned.size_bytes,
            }
            for device in plan.devices
        ]

    async def _plan(self, frame: TaskFrame) -> ShipmentPlan:
        from heavylift.objects.appliances.api import plan_shipment
        from heavylift.objects.appliances.places import shipment_path
        from heavylift_airflow.trail import note_file

        plan = await plan_shipment(shipment_request(frame, self.dataset))
        self.evidence_path = shipment_path(frame.run, self.dataset, plan.number)
        async with self.evidence(frame) as store:
            await note_file(
                store,
                frame,
                "devices.planned",
                self.evidence_path,
                subject=self.dataset,
                details=shipment_figures(plan),
            )
        return plan


class DeviceOperator(DatasetOperator):
    """An operator that acts on one device of a plan.

    :param device: one item of what :class:`PlanDevicesOperator` returned. (templated)
    """

    template_fields: Sequence[str] = (*DatasetOperator.template_fields, "device")

    def __init__(self, *, dataset: str, device: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(dataset=dataset, **kwargs)
        self.device = device

    @property
    def device_id(self) -> str:
        """The device's name in the plan."""
        return str(self.device["device"])

    def reporter(self, context: Context, frame: TaskFrame) -> ProgressReporter:
        """Return what takes the work's progress to the log and the metrics."""
        tags = {"migration": frame.spec.migration, "dataset": self.dataset, "device": self.device_id}
        return ProgressReporter(self.log, tags, store=state_store_of(context, self.log))

    async def note_record(self, frame: TaskFrame, kind: str, action: str, figures: dict[str, Any]) -> None:
        """Note the device's latest record of a kind in the audit trail."""
        from heavylift.evidence.numbered import latest_number
        from heavylift.objects.appliances.places import device_path
        from heavylift_airflow.trail import note_file

        def path_of(number: int) -> str:
            return device_path(frame.run, self.dataset, self.device_id, kind, number)

        async with self.evidence(frame) as store:
            self.evidence_path = path_of(await latest_number(store, path_of))
            subject = f"{self.dataset}/{self.device_id}"
            await note_file(store, frame, action, self.evidence_path, subject=subject, details=figures)


class LoadDeviceOperator(DeviceOperator):
    """Copies a device's objects from the source onto the mounted device, with a load manifest.

    Runs where the device is mounted. Idempotency: what is on the device and proved is left, so a
    retry after a crash does only the rest; what a check found damaged is written anew.

    :return: ``{"device", "on_device", "size_bytes", "loaded", "vanished", "root_digest"}``.
    :raises IncompleteError: some objects failed for good; the record names them.
    :raises TransientError: the attempt was cut short; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the device and return its figures."""
        frame = self.moving_frame(context)
        figures = self.work.run(self._load(context, frame), f"loading of device {self.device_id}")
        self.log.info("%s", figures)
        return figures

    async def _load(self, context: Context, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.objects.appliances.api import load_device

        record = await load_device(
            shipment_request(frame, self.dataset),
            self.device_id,
            frame.task_actor,
            self.reporter(context, frame),
        )
        figures = {
            "device": record.device,
            "on_device": record.on_device.objects,
            "size_bytes": record.on_device.size_bytes,
            "loaded": record.loaded.objects,
            "vanished": record.vanished.objects,
            "root_digest": record.root_digest,
        }
        await self.note_record(frame, "load", "device.loaded", figures)
        return figures


class CheckDeviceOperator(DeviceOperator):
    """Reads a loaded device whole and compares it with its load manifest, before it is shipped.

    Idempotency: each run of the task adds a check and changes nothing on the device.

    :return: ``{"device", "equal", "missing", "different", "unreadable", "extra"}``.
    :raises IntegrityError: the device is not as it was loaded; it must not leave.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the device, note it in the audit trail, and fail where it is damaged."""
        frame = self.moving_frame(context)
        figures = self.work.run(self._check(context, frame), f"check of device {self.device_id}")
        self.log.info("%s", figures)
        return figures

    async def _check(self, context: Context, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.objects.appliances.api import check_device, demand_passed

        request = shipment_request(frame, self.dataset)
        record = await check_device(request, self.device_id, self.reporter(context, frame))
        figures = {"device": record.device, "equal": record.equal.objects} | {
            kind: getattr(record, kind) for kind in ("missing", "different", "unreadable", "extra")
        }
        await self.note_record(frame, "check", "device.checked", figures)
        demand_passed(record)
        return figures


class IngestDeviceOperator(DeviceOperator):
    """Copies a device's files into the target, where the spec has no provider do that.

    Idempotency: files that are there and equal are left; nothing on the target is overwritten.

    :return: ``{"device", "copied", "unchanged"}``.
    :raises IncompleteError: some files were not copied; the record names them.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy the device's content and return the counts."""
        frame = self.moving_frame(context)
        figures = self.work.run(self._ingest(context, frame), f"ingest of device {self.device_id}")
        self.log.info("%s", figures)
        return figures

    async def _ingest(self, context: Context, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.objects.appliances.api import ingest_device

        record = await ingest_device(
            shipment_request(frame, self.dataset),
            self.device_id,
            frame.task_actor,
            self.reporter(context, frame),
        )
        figures = {
            "device": record.device,
            "copied": record.copied.objects,
            "unchanged": record.unchanged.objects,
        }
        await self.note_record(frame, "ingest", "device.copied", figures)
        return figures


class ReconcileDeviceOperator(DeviceOperator):
    """Compares what a device brought with what is on the target, and mends what the ingest lost.

    Idempotency: each run of the task adds a reconciliation; what is mended stays mended.

    :return: ``{"device", "equal", "missing", "different", "unreadable", "renamed", "restored"}``.
    :raises IntegrityError: something is missing or different; the first objects are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Reconcile, note it in the audit trail, and fail where something is wrong."""
        frame = self.moving_frame(context)
        figures = self.work.run(self._reconcile(context, frame), f"reconciliation of {self.device_id}")
        self.log.info("%s", figures)
        return figures

    async def _reconcile(self, context: Context, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.objects.appliances.api import demand_reconciled, reconcile_device
        from heavylift.objects.appliances.records import Custody
        from heavylift.objects.appliances.standing import device_custody

        request = shipment_request(frame, self.dataset)
        record = await reconcile_device(
            request, self.device_id, frame.task_actor, report=self.reporter(context, frame)
        )
        figures = {"device": record.device, "equal": record.equal.objects} | {
            kind: getattr(record, kind)
            for kind in ("missing", "different", "unreadable", "renamed", "restored")
        }
        await self.note_record(frame, "reconciliation", "device.compared", figures)
        if (await device_custody(request, self.device_id)).state is not Custody.RECONCILED:
            # Where a person has handed the rest over to the online transfer, the device is settled.
            demand_reconciled(record)
        return figures


def shipment_figures(plan: ShipmentPlan) -> dict[str, Any]:
    """Return a plan's figures."""
    return {
        "found": plan.found.objects,
        "shipped": plan.shipped.objects,
        "shipped_bytes": plan.shipped.size_bytes,
        "online": plan.online.objects,
        "devices": len(plan.devices),
        "lower_bound": plan.lower_bound,
        "number": plan.number,
    }
