"""``heavylift assess``: look at the source, find what stands in the way, make the plan and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.inventory_options import Asked, asked_beside, asked_by_spec
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.assessment_records import AssessmentRecord
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import GateResult
    from heavylift.evidence.store import EvidenceStore
    from heavylift.inventory.requests import InventoryRequest
    from heavylift.spec.model import MigrationSpec

app = typer.Typer(no_args_is_help=True)


@app.command()
def assess(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The migration spec.")],
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even where an inventory was interrupted.")
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Take the inventory, make graph, findings and plan, judge the gate, write the report. Only reads.

    All of it becomes evidence of one run. Exits 1 where something stands in the way; approving the plan is
    done in Airflow. An inventory that was interrupted goes on.
    """
    from heavylift.cli.assess_text import assess_text
    from heavylift.cli.inventory import requests_of, take
    from heavylift.inventory.requests import options_of

    whose = asked_by_spec(spec, evidence, evidence_conn)
    # Before a platform is asked for minutes.
    _demand_section(whose)
    wanted = [(whose, options_of(whose.of_spec)), *asked_beside(whose)]
    requests = requests_of(wanted, fresh=fresh)
    components = sum(take(request)[0].component_count for request in requests)
    note(f"{components:,} components; making the plan")
    found = _Made(requests[0], whose, spec.parent).run()
    passed = all(result.passed for result in found.gates)
    finish(
        {
            "assessment": found.record.model_dump(mode="json"),
            "evidence": found.ref.model_dump(mode="json"),
            "gates": [result.model_dump(mode="json") for result in found.gates],
            "report": found.report,
        },
        text=assess_text(found.record, found.gates, found.report),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


def _demand_section(whose: Asked) -> None:
    from heavylift.assess.from_spec import settings_of

    settings_of(whose.of_spec)


class _Made:
    """Makes all that follows the inventory."""

    record: AssessmentRecord
    ref: EvidenceRef
    report: str = ""

    def __init__(self, request: InventoryRequest, whose: Asked, beside: Path) -> None:
        self._request, self._whose, self._beside = request, whose, beside
        self.gates: list[GateResult] = []
        self.measured: list[tuple[str, bool, EvidenceRef]] = []
        self.used: list[tuple[str, bool, EvidenceRef]] = []
        self.allowed: list[tuple[str, bool, EvidenceRef]] = []

    def run(self) -> _Made:
        import gc

        from heavylift.aio import run
        from heavylift.evidence.store import open_evidence

        # As in `plan`: nothing that is made here goes in circles.
        gc.disable()

        async def make() -> None:
            async with open_evidence(self._whose.evidence_url, self._whose.evidence_connection) as store:
                await self._make(store, self._whose.of_spec)

        run(make())
        details: dict[str, Any] = {
            "plan_digest": self.record.plan_digest,
            "open_blockers": self.record.open_blockers,
        }
        note_act(self._request, self.record.connection, "plan.made", (self.ref,), details)
        for connection, passed, ref in self.measured:
            note_act(self._request, connection, "baseline.measured", (ref,), {"passed": passed})
        read = {"utilisation.read": self.used, "quotas.read": self.allowed}
        for action, acts in read.items():
            for connection, complete, ref in acts:
                note_act(self._request, connection, action, (ref,), {"complete": complete})
        return self

    async def _read_use(self, spec: MigrationSpec) -> None:
        from heavylift.spec.measured import utilisation_connections
        from heavylift.utilisation.api import measure_utilisation
        from heavylift.utilisation.requests import utilisation_request

        for connection in utilisation_connections(spec):
            note(f"reading what the machines of {connection} use")
            asked = utilisation_request(
                spec, self._request.run, connection_from_env, connection, stored=self._stored
            )
            used, ref = await measure_utilisation(asked, note)
            self.used.append((connection, used.complete, ref))

    @property
    def _stored(self) -> tuple[str | None, Connection | None]:
        """Where the command line has evidence kept, whatever the spec says."""
        return self._whose.evidence_url, self._whose.evidence_connection

    async def _make(self, store: EvidenceStore, spec: MigrationSpec) -> None:
        from heavylift.assess.api import make_assessment
        from heavylift.baselines.api import measure_baseline
        from heavylift.baselines.from_spec import baseline_request, baselines_wanted
        from heavylift.cli.quotas import read_all
        from heavylift.gates.evaluate import evaluate_gate
        from heavylift.gates.summary import summarise, write_summary
        from heavylift.inventory.api import make_graph
        from heavylift.inventory.requests import acceptances_of, further_connections
        from heavylift.report.build import build_report
        from heavylift.spec.vocabulary import Phase

        run, connection = self._request.run, self._request.connection.conn_id
        also = further_connections(spec)
        await make_graph(store, spec.migration, connection, acceptances_of(spec), also=also, run=run)
        for read, ref in await read_all(spec, run, self._stored):
            self.allowed.append((read.connection, read.complete, ref))
        self.record, self.ref = await make_assessment(
            store,
            spec,
            connection,
            run,
            beside=self._beside,
            database_of=lambda conn: connection_from_env(conn).schema or "",
        )
        for wanted in baselines_wanted(spec):
            note(f"measuring the endpoint of {wanted.connection}")
            asked = baseline_request(spec, run, connection_from_env, wanted, stored=self._stored)
            measured, ref = await measure_baseline(asked, note)
            self.measured.append((measured.connection, measured.passed, ref))
        await self._read_use(spec)
        gates = spec.gates_for(Phase.ASSESS)
        for gate in gates:
            result, _ = await evaluate_gate(store, run, gate, [], assessment=True)
            self.gates.append(result)
        summary = await summarise(store, run, [], gates, assessment=True)
        self.report = store.url_of((await build_report(store, run, summary)).path)
        await write_summary(store, summary)
