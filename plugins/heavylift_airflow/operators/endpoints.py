"""Operators of endpoints: plan, bring up, verify, remove; what takes long is waited for in the triggerer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.triggers.endpoints import EndpointsTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow.sdk import Context

    from heavylift.endpoints.api import Acted
    from heavylift.endpoints.requests import EndpointsRequest
    from heavylift.evidence.endpoint_records import EndpointsRecord
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20
_POLL_SECONDS = 30.0
_KEEPS = "a run that destroys makes no endpoint"
Begun = dict[str, list[list[str]]]


class EndpointsOperator(HeavyliftOperator):
    """What the operators of endpoints have in common; not one of them by itself."""

    @abstractmethod
    def execute(self, context: Context) -> dict[str, Any]:
        """Do the operator's act."""

    def request(self, frame: TaskFrame) -> EndpointsRequest:
        """Return the endpoints of the task's spec, their connections looked up."""
        from heavylift.endpoints.requests import endpoints_request

        return endpoints_request(frame.spec, self.spec_path, frame.run, look_up)

    async def keep(self, store: EvidenceStore, frame: TaskFrame, record: EndpointsRecord) -> None:
        """Keep a record, and note it in the audit trail."""
        from heavylift.endpoints.keeping import keep_endpoints

        ref = await keep_endpoints(store, record, frame.task_actor, _attempt(frame))
        self.evidence_path = ref.path

    def tell(self, record: EndpointsRecord) -> dict[str, Any]:
        """Log what a record says, and return its figures."""
        for row in record.rows[:MAX_NAMED]:
            self.log.info("%s: %s %s: %s -> %s", row.endpoint, row.kind, row.name, row.before, row.after)
        for gap in record.gaps[:MAX_NAMED]:
            told = f"accepted: {gap.accepted}" if gap.accepted else f"To fix: {gap.remedy}"
            self.log.warning("%s: %s. %s", gap.subject, gap.what, told)
        for problem in record.problems[:MAX_NAMED]:
            self.log.warning("%s", problem)
        for subject in record.unused:
            self.log.warning("nothing is called %s any more: take it out of accept_untranslated", subject)
        figures = {**record.counts, "digest": record.digest, "passed": record.passed}
        self.log.info("%s", figures)
        return figures


class PlanEndpointsOperator(EndpointsOperator):
    """Tells what of the spec's endpoints would be made, what stays behind, and what is in the way.

    Nothing is changed on either side. Idempotency: each run of the task keeps a record of its own; the same
    spec and source give the same digest.

    :param removal: plan what a run that destroys removes; in a run that makes it plans nothing.
    :return: ``{"things", "begun", "pending", "untranslated", "open_untranslated", "answers", "digest",
        "passed"}``, or nothing where there is nothing to plan.
    :raises SpecError: neither spec nor source tells something that is needed.
    :raises NotFoundError: the source's endpoint, or a registered version, is not there.
    """

    def __init__(self, *, removal: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.removal = removal

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, and keep what came of it."""
        frame = self.frame(context)
        if self.removal and not frame.options.destroy:
            self.log.info("this run makes: nothing is removed")
            return {}
        if frame.options.destroy and not self.removal:
            raise AirflowSkipException(_KEEPS)
        return self.tell(self.work.run(self._planned(frame), "plan of endpoints"))

    async def _planned(self, frame: TaskFrame) -> EndpointsRecord:
        from heavylift.endpoints.api import plan_endpoints

        async with self.evidence(frame) as store:
            record = await plan_endpoints(self.request(frame), removal=self.removal)
            await self.keep(store, frame, record)
        return record


class WaitingOperator(EndpointsOperator):
    """An operator that does what can be done now, and waits for the rest without a worker."""

    act: Literal["apply", "remove"]

    def resume(self, context: Context, event: dict[str, Any], begun: Begun | None = None) -> dict[str, Any]:
        """Look for itself: the triggerer's word is no evidence."""
        self.log.info("woken: %s", event)
        return self.carried(context, begun or {})

    def carried(self, context: Context, begun: Begun) -> dict[str, Any]:
        """Do what can be done now."""
        frame = self.moving_frame(context)
        acted = self.work.run(self._acted(frame, begun), f"{self.act} of endpoints")
        if acted.waits_for:
            self._wait(frame, acted)
        return self.tell(acted.record)

    def _wait(self, frame: TaskFrame, acted: Acted) -> NoReturn:
        self.log.info(
            "%s: waiting in the triggerer", ", ".join(str(each["name"]) for each in acted.waits_for)
        )
        minutes = max(endpoint.timeout for endpoint in frame.spec.endpoints)
        self.defer(
            trigger=EndpointsTrigger([dict(each) for each in acted.waits_for], _POLL_SECONDS),
            method_name="resume",
            kwargs={"begun": {name: [list(key) for key in keys] for name, keys in acted.begun.items()}},
            timeout=timedelta(minutes=minutes),
        )

    async def _acted(self, frame: TaskFrame, begun: Begun) -> Acted:
        from heavylift.endpoints.keeping import note_begin
        from heavylift.evidence.infra_evidence import read_provision
        from heavylift.gates.endpoint_checks import demand_approved_endpoints
        from heavylift.spec import Phase
        from heavylift.spec.provision_parts import Part

        part = Part.ENDPOINTS if self.act == "apply" else Part.ENDPOINTS_REMOVAL
        async with self.evidence(frame) as store:
            evidence = await read_provision(store, frame.run)
            gates = frame.spec.gates_for(Phase.PROVISION)
            plan = await demand_approved_endpoints(store, evidence, part, gates)

            async def touching(digest: str) -> None:
                if not begun:
                    await note_begin(store, frame.run, self.act, digest, frame.task_actor, _attempt(frame))

            acted = await self._call(frame, plan, _as_keys(begun), touching)
            if not acted.waits_for:
                await self.keep(store, frame, acted.record)
        return acted

    async def _call(
        self,
        frame: TaskFrame,
        plan: EndpointsRecord,
        begun: Mapping[str, list[tuple[str, str]]],
        touching: Callable[[str], Awaitable[None]],
    ) -> Acted:
        from heavylift.endpoints.api import apply_endpoints, remove_endpoints

        request = self.request(frame)
        if self.act == "apply":
            return await apply_endpoints(request, plan.digest, begun, touching)
        return await remove_endpoints(request, plan, begun, touching)


class ApplyEndpointsOperator(WaitingOperator):
    """Brings up exactly the endpoints that a person has approved: models, endpoint, deployments, traffic.

    The approval is read from the audit trail: marking the gate successful opens nothing. While a product is
    at work, the task waits in the triggerer.

    Idempotency: everything has a name that comes of the spec; what is there as wanted is left alone, and what
    is under way is found and waited for. After a kill, or a quota that is raised, clear the task.

    :return: as :class:`PlanEndpointsOperator`.
    :raises IncompleteError: the plan is not approved, or the product did not make a thing (a quota is named).
    :raises ConflictError: spec or source say something else than what was approved, or a name is taken.
    """

    act = "apply"

    def execute(self, context: Context) -> dict[str, Any]:
        """Begin, unless this run destroys."""
        if self.frame(context).options.destroy:
            raise AirflowSkipException(_KEEPS)
        return self.carried(context, {})


class RemoveEndpointsOperator(WaitingOperator):
    """In a run that destroys: removes all endpoints that were made, once a person has approved that.

    In any other run it does nothing. What Heavylift did not make is left, and told.

    Idempotency: what is gone is found gone; after a kill the next try goes on.

    :return: as :class:`PlanEndpointsOperator`, or nothing in a run that makes.
    :raises IncompleteError: the plan of the removal is not approved, or the product did not remove a thing.
    """

    act = "remove"

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove, if this run destroys."""
        frame = self.frame(context)
        if not frame.options.destroy or frame.options.dry_run:
            self.log.info("this run removes nothing")
            return {}
        return self.carried(context, {})


class VerifyEndpointsOperator(EndpointsOperator):
    """Looks whether every endpoint is ready and as the spec says, and asks each its golden row.

    Changes nothing. Idempotency: each run of the task keeps a record of its own.

    :return: as :class:`PlanEndpointsOperator`.
    :raises IncompleteError: something differs, is not ready, or answers otherwise; the first are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify, keep the record, and fail where something is not as it should be."""
        from heavylift.endpoints.api import require_serving

        frame = self.moving_frame(context)
        if frame.options.destroy:
            raise AirflowSkipException(_KEEPS)
        record = self.work.run(self._verified(frame), "verification of endpoints")
        figures = self.tell(record)
        require_serving(record)
        return figures

    async def _verified(self, frame: TaskFrame) -> EndpointsRecord:
        from heavylift.endpoints.api import verify_endpoints

        async with self.evidence(frame) as store:
            record = await verify_endpoints(self.request(frame))
            await self.keep(store, frame, record)
        return record


def _attempt(frame: TaskFrame) -> dict[str, Any]:
    return {"attempt": frame.attempt, "run_started_by": frame.actor}


def _as_keys(begun: Begun) -> dict[str, list[tuple[str, str]]]:
    return {name: [(str(kind), str(thing)) for kind, thing in keys] for name, keys in begun.items()}
