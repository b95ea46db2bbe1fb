"""Google Cloud Scheduler: a job is paused and resumed; the epoch ends its description."""

from __future__ import annotations

from datetime import datetime

from heavylift.connections import Connection
from heavylift.cutover.schedules.marks import read_mark, with_mark
from heavylift.cutover.schedules.ports import Seen
from heavylift.cutover.schedules.setting import Looked, SetSchedule, moment, no_such_schedule
from heavylift.errors import NotFoundError
from heavylift.platforms.gcp.changing import google_changes

_ENABLED = "ENABLED"


class CloudSchedulerJob(SetSchedule):
    """One job. The epoch is written first, so that a lower one is refused from then on.

    :param connection: type ``google_cloud_platform``.
    :param job: ``location/name``.
    """

    def __init__(self, connection: Connection, job: str) -> None:
        super().__init__(f"job {job} of Cloud Scheduler")
        location, _, name = job.rpartition("/")
        if not location or not name:
            raise no_such_schedule(self.name, "an id without a location", "location/name")
        self._api, project = google_changes(connection, "https://cloudscheduler.googleapis.com")
        self._path = f"v1/projects/{project}/locations/{location}/jobs/{name}"

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def look(self) -> Looked:
        """Return its state, and when it was tried last."""
        try:
            job = await self._api.get(self._path)
        except NotFoundError as error:
            raise no_such_schedule(self.name, "no job of that name", "one in that location") from error
        epoch = read_mark(str(job.get("description") or ""))
        return Looked(Seen(job.get("state") == _ENABLED, epoch, moment(job.get("lastAttemptTime"))), job)

    async def change(self, seen: Looked, *, enabled: bool, epoch: int) -> None:
        """Write the epoch, then pause or resume."""
        description = with_mark(str(seen.found.get("description") or ""), epoch)
        await self._api.change(
            "PATCH", self._path, {"description": description}, {"updateMask": "description"}
        )
        if seen.seen.enabled != enabled:
            await self._api.change("POST", f"{self._path}:{'resume' if enabled else 'pause'}", {})

    async def run_once(self, due: datetime) -> bool:
        """Run the job now, unless it was tried since it was due: by us, or by itself."""
        seen = await self.read()
        if seen.last_run is None or seen.last_run < due:
            await self._api.change("POST", f"{self._path}:run", {})
        return True
