"""What all operators and sensors of Heavylift have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import SpecError
from heavylift_airflow.context import TaskFrame, frame_of
from heavylift_airflow.hooks.evidence import EvidenceHook
from heavylift_airflow.links.evidence import EvidenceLink
from heavylift_airflow.working import StoppableWork

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec import Gate, MigrationSpec


class HeavyliftTask:
    """Mix-in: reads the spec when the task runs, and links to the evidence that it wrote.

    The spec is read anew by every attempt, so that a corrected limit or connection holds from
    the next attempt on.

    :param spec_path: the migration spec's file. (templated)
    :param phase: the phase whose run this is: ``transfer``, ``sync``, …
    """

    template_fields: Sequence[str] = ("spec_path",)
    operator_extra_links = (EvidenceLink(),)

    def __init__(self, *, spec_path: str, phase: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec_path = spec_path
        self.phase = phase
        self.evidence_path: str | None = None

    def frame(self, context: Context) -> TaskFrame:
        """Return what this task knows of its run.

        :raises SpecError: the spec cannot be used any more, or a run parameter cannot.
        """
        from heavylift.spec import Phase, load_spec
        from heavylift.spec.registry_phase import spec_for

        return frame_of(context, spec_for(load_spec(self.spec_path), Phase(self.phase)), self.phase)

    def moving_frame(self, context: Context) -> TaskFrame:
        """Return the frame, for a task that has no place in a dry run.

        :raises AirflowSkipException: this is a dry run.
        """
        frame = self.frame(context)
        if frame.options.dry_run:
            raise AirflowSkipException("dry run: only the plan is made")
        return frame

    @asynccontextmanager
    async def evidence(self, frame: TaskFrame) -> AsyncIterator[EvidenceStore]:
        """Open the migration's evidence store for the block."""
        place = frame.spec.evidence
        async with EvidenceHook(place.connection, place.url).open() as store:
            yield store

    @property
    def work(self) -> StoppableWork:
        """The stoppable work of this attempt."""
        # Made on first use: operators are copied and pickled, event loops cannot be.
        work: StoppableWork = self.__dict__.setdefault("_work", StoppableWork())
        return work

    def on_kill(self) -> None:
        """Stop the running work; called when the task is marked failed, or its worker goes down."""
        self.work.stop()


def find_gate(spec: MigrationSpec, phase: str, name: str) -> Gate:
    """Return the gate called ``name`` of ``phase``.

    :raises SpecError: the spec has none any more.
    """
    from heavylift.spec import Phase

    gates = {gate.name: gate for gate in spec.gates_for(Phase(phase))}
    if name in gates:
        return gates[name]
    raise SpecError(
        f"looking up gate {name!r} of {spec.migration}.{phase}",
        got="no such gate in the spec",
        expected=f"one of {', '.join(gates)}" if gates else "a gate of this phase",
        state="the gate stays closed",
        remedy="the spec was changed during the run: start a new run",
        code="8013",
    )
