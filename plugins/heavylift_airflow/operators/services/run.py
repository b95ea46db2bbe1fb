"""The operator that hands a dataset to a transfer service and waits for it without a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from heavylift_airflow.operators.transfer import DatasetOperator, shard_counts
from heavylift_airflow.triggers.service import ServiceRunTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import ShardResult
    from heavylift.objects.requests import TransferRequest
    from heavylift.objects.services.ports import ServiceStatus, TransferService
    from heavylift.objects.services.run import StartedRun
    from heavylift_airflow.context import TaskFrame


class RunServiceOperator(DatasetOperator):
    """Lets Storage Transfer Service or DataSync move the service's part of a dataset's plan.

    It hands over exactly the planned keys, waits in the triggerer, and takes down how the run
    ended. What arrived is proved by the verification that follows, not by the service's counters.

    Idempotency: the job's name is derived from the run and the dataset. A retry finds a run that
    is under way and waits for it. After a run that ended short the job runs again and skips what is
    there; after one that got all there, nothing is done again. Killing the task (mark failed)
    cancels the service's run; what it has copied stays.

    :return: the counts of the service's shard, as the service tells them.
    :raises IncompleteError: the service did not move all it was handed; its reasons are named.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Start the service's run or find it; defer until it ends."""
        from heavylift.objects.services.ports import ServiceState

        frame = self.moving_frame(context)
        request = self.request(frame)
        service = self.service(request)
        what = f"handing dataset {self.dataset!r} to {request.options.via.value}"
        finished = self.work.run(_finished(request, service), what)
        if finished is not None:
            self.log.info("an earlier attempt of this run got all there")
            return shard_counts(finished)
        started = self.work.run(self._begin(frame, request, service), what)
        if started is None:
            self.log.info("nothing of dataset %r is for %s", self.dataset, request.options.via.value)
            return {"found": 0, "moved": 0}
        # For on_kill, while this process still runs.
        self._running = (service, started.record.handle)
        status = service.look(started.record.handle)
        if status.state is ServiceState.RUNNING:
            self._wait(request, started.record.handle)
        return self._finish(frame, request, service, started, status)

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Look for itself: the triggerer's word is no evidence."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    def on_kill(self) -> None:
        """Stop the running work and cancel the service's run."""
        super().on_kill()
        running: tuple[TransferService, str] | None = self.__dict__.get("_running")
        if running is not None:
            service, handle = running
            service.cancel(handle)
            self.log.info("cancelled %s", handle)

    def service(self, request: TransferRequest) -> TransferService:
        """Return the adapter of the service that the spec names."""
        from heavylift_airflow.hooks.services.opening import open_service

        return open_service(described(request))

    def _wait(self, request: TransferRequest, handle: str) -> NoReturn:
        options = request.options.service
        self.log.info("%s runs: waiting for it in the triggerer", handle)
        self.defer(
            trigger=ServiceRunTrigger(described(request), handle, float(options.poll)),
            method_name="resume",
            timeout=timedelta(seconds=options.timeout),
        )

    async def _begin(
        self, frame: TaskFrame, request: TransferRequest, service: TransferService
    ) -> StartedRun | None:
        from heavylift.evidence.services import service_run_path
        from heavylift.objects.services.run import begin_service_run
        from heavylift_airflow.trail import note_file

        started = await begin_service_run(request, service)
        if started is None:
            return None
        self.evidence_path = service_run_path(frame.run, self.dataset, started.number)
        async with self.evidence(frame) as store:
            await note_file(
                store,
                frame,
                "service.started",
                self.evidence_path,
                subject=self.dataset,
                details={"service": service.name, "handle": started.record.handle},
            )
        return started

    def _finish(
        self,
        frame: TaskFrame,
        request: TransferRequest,
        service: TransferService,
        started: StartedRun,
        status: ServiceStatus,
    ) -> dict[str, int]:
        what = f"taking down the end of {started.record.handle}"
        counts = self.work.run(self._take_down(frame, request, service, started, status), what)
        self.log.info("%s: %s, moved %s, unchanged %s objects by its own count", service.name,
                      status.state.value, counts["moved"], counts["unchanged"])  # fmt: skip
        return counts

    async def _take_down(
        self,
        frame: TaskFrame,
        request: TransferRequest,
        service: TransferService,
        started: StartedRun,
        status: ServiceStatus,
    ) -> dict[str, int]:
        from heavylift.evidence.paths import shard_result_path
        from heavylift.objects.services.run import finish_service_run
        from heavylift_airflow.trail import note_file

        result = await finish_service_run(request, service, started, status, frame.attempt)
        self.evidence_path = shard_result_path(frame.run, self.dataset, result.shard, result.attempt)
        async with self.evidence(frame) as store:
            await note_file(
                store,
                frame,
                "service.ended",
                self.evidence_path,
                subject=self.dataset,
                details={"service": service.name, **shard_counts(result)},
            )
        return shard_counts(result)


async def _finished(request: TransferRequest, service: TransferService) -> ShardResult | None:
    from heavylift.objects.services.run import finished_result

    return await finished_result(request, service)


def described(request: TransferRequest) -> dict[str, Any]:
    """Return the service of a request as plain JSON without secrets, for the trigger."""
    from heavylift.spec.vocabulary import Via

    via, options = request.options.via, request.options.service
    scheme = "gs" if via is Via.STORAGE_TRANSFER_SERVICE else "s3"
    # The target's connection first: both services belong to the cloud that receives.
    sides = [side for side in (request.target, request.source) if side.location.scheme == scheme]
    own = next((side.connection.conn_id for side in sides if side.connection), "")
    return {"via": via.value, "conn_id": options.connection or own, "project": options.project}
