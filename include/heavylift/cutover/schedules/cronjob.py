"""Kubernetes' CronJobs: ``spec.suspend``, with the epoch as an annotation.

``resourceVersion`` makes each change a compare-and-swap: of two switches the later one's stands.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import datetime
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.schedules.ports import Seen
from heavylift.cutover.schedules.setting import (
    Looked,
    SetSchedule,
    epoch_in,
    moment,
    no_such_schedule,
    run_name,
)
from heavylift.errors import NotFoundError, PreconditionError
from heavylift.platforms.kubernetes.changing import kubernetes_changes

ANNOTATION = "heavylift/epoch"
_MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}
_LONGEST_NAME = 63


class CronJob(SetSchedule):
    """One CronJob.

    :param connection: type ``kubernetes``.
    :param job: ``namespace/name``.
    """

    def __init__(self, connection: Connection, job: str) -> None:
        super().__init__(f"CronJob {job}")
        namespace, _, self._job = job.rpartition("/")
        self._batch = f"apis/batch/v1/namespaces/{namespace or 'default'}"
        self._path = f"{self._batch}/cronjobs/{self._job}"
        self._api = kubernetes_changes(connection)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def look(self) -> Looked:
        """Return whether it is suspended, when it was scheduled last and how many jobs are active."""
        try:
            job = await self._api.get(self._path)
        except NotFoundError as error:
            raise no_such_schedule(self.name, "no such CronJob", "one in that namespace") from error
        spec, status = job.get("spec") or {}, job.get("status") or {}
        marks = (job.get("metadata") or {}).get("annotations") or {}
        running = len(status.get("active") or ())
        last = moment(status.get("lastScheduleTime"))
        return Looked(Seen(not spec.get("suspend"), epoch_in(marks.get(ANNOTATION)), last, running), job)

    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Replace the CronJob, as it was seen."""
        job: dict[str, Any] = deepcopy(seen.found)
        job.pop("status", None)
        meta = job["metadata"]
        meta.pop("managedFields", None)
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: str(epoch)}
        job["spec"]["suspend"] = not enabled
        await self._api.change("PUT", self._path, job)

    async def run_once(self, due: datetime) -> bool:
        """Make a Job from its template, under a name that ``due`` decides."""
        found = (await self.look()).found
        template = found["spec"]["jobTemplate"]
        meta = template.get("metadata") or {}
        name = f"{self._job[: _LONGEST_NAME - 30]}-{run_name(due)}"
        body = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "labels": meta.get("labels") or {},
                "annotations": {**(meta.get("annotations") or {}), **_MANUAL},
            },
            "spec": template["spec"],
        }
        with suppress(PreconditionError):  # it was made already
            await self._api.change("POST", f"{self._batch}/jobs", body)
        return True
