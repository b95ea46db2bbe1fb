"""``heavylift baseline SPEC``: all baselines that a spec names, beside its newest inventory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.cli.acts import note_act
from heavylift.cli.baseline_text import baseline_text, utilisation_text
from heavylift.cli.inventory_options import asked_by_spec
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.connections import connection_from_env
from heavylift.errors import NotFoundError, SpecError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence

if TYPE_CHECKING:
    from heavylift.cli.inventory_options import Asked
    from heavylift.connections import Connection
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.baseline_records import EndpointBaseline
    from heavylift.evidence.utilisation_records import UtilisationRecord
    from heavylift.spec.model import MigrationSpec

ENDPOINTS, UTILISATION = "endpoints", "utilisation"


@dataclass(frozen=True)
class Act:
    """What the audit trail is told of a run and of where its evidence lies."""

    run: RunKey
    evidence_url: str | None
    evidence_connection: Connection | None


@dataclass
class _Done:
    endpoints: list[tuple[EndpointBaseline, EvidenceRef]] = field(default_factory=list)
    used: list[tuple[UtilisationRecord, EvidenceRef]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        measured = all(record.passed for record, _ in self.endpoints)
        return measured and all(record.complete for record, _ in self.used)


def by_spec(
    path: Path,
    only: str,
    others: tuple[Any, ...],
    evidence: str | None,
    evidence_conn: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Measure what a spec names; the endpoints bear a load, the machines' use is only read.

    :raises SpecError: neither is in the spec, or options of a single endpoint are given as well.
    :raises NotFoundError: there is no inventory of the migration.
    """
    from heavylift.aio import run

    whose = asked_by_spec(path, evidence, evidence_conn)
    spec = whose.of_spec
    wanted = _wanted(spec, only, others)
    if dry_run:
        lines = [f"would measure {name}: {', '.join(found)}" for name, found in wanted.items() if found]
        finish({"planned": wanted}, text="\n".join([*lines, "nothing was asked"]), as_json=as_json)
        return
    done = run(_measured(whose, spec, wanted))
    for used, ref in done.used:
        note_act(
            Act(used.run, whose.evidence_url, whose.evidence_connection),
            used.connection,
            "utilisation.read",
            (ref,),
            {"complete": used.complete},
        )
    for record, ref in done.endpoints:
        details = {"passed": record.passed, "max_sustained": record.max_sustained}
        act = Act(record.run, whose.evidence_url, whose.evidence_connection)
        note_act(act, record.connection, "baseline.measured", (ref,), details)
    finish(
        {
            "endpoints": [record.model_dump(mode="json") for record, _ in done.endpoints],
            "utilisation": [record.model_dump(mode="json") for record, _ in done.used],
            "evidence": [ref.path for _, ref in (*done.endpoints, *done.used)],
        },
        text="\n".join(
            [
                *(baseline_text(record, ref) for record, ref in done.endpoints),
                *(utilisation_text(record, ref) for record, ref in done.used),
            ]
        ),
        as_json=as_json,
        status=ExitStatus.DONE if done.passed else ExitStatus.FAILED,
    )


def _wanted(spec: MigrationSpec, only: str, others: tuple[Any, ...]) -> dict[str, list[str]]:
    from heavylift.baselines.from_spec import baselines_wanted
    from heavylift.spec.measured import utilisation_connections

    found = {
        ENDPOINTS: [each.connection for each in baselines_wanted(spec)],
        UTILISATION: list(utilisation_connections(spec)),
    }
    if only in found:
        found = {name: names if name == only else [] for name, names in found.items()}
    got = "a spec that asks for none of it" + (f", with --only {only}" if only else "")
    got = "SPEC with --source-conn or --requests" if any(others) else got
    if any(others) or only not in ("", *found) or not any(found.values()):
        raise SpecError(
            "reading the command line",
            got=got,
            expected="SPEC alone, with assess.baselines or assess.utilisation; --only endpoints|utilisation",
            state="nothing was asked",
            remedy="name the endpoints (assess.baselines) or the section assess.utilisation in the spec",
            code="9409",
        )
    return found


async def _measured(whose: Asked, spec: MigrationSpec, wanted: dict[str, list[str]]) -> _Done:
    from heavylift.baselines.api import measure_baseline
    from heavylift.baselines.from_spec import baseline_request, baselines_wanted
    from heavylift.utilisation.api import measure_utilisation
    from heavylift.utilisation.requests import utilisation_request

    stored = (whose.evidence_url, whose.evidence_connection)
    key, done = await newest_run(whose, spec), _Done()
    for name in wanted[UTILISATION]:
        note(f"reading what the machines of {name} use")
        asked = utilisation_request(spec, key, connection_from_env, name, stored=stored)
        used, ref = await measure_utilisation(asked, note)
        done.used.append((used, ref))
    for each in baselines_wanted(spec) if wanted[ENDPOINTS] else ():
        note(f"measuring the endpoint of {each.connection}")
        request = baseline_request(spec, key, connection_from_env, each, stored=stored)
        done.endpoints.append(await measure_baseline(request, note))
    return done


async def newest_run(whose: Asked, spec: MigrationSpec) -> RunKey:
    """Return the run of the newest inventory: what is measured belongs beside it.

    :raises NotFoundError: there is no inventory.
    """
    from heavylift.evidence.assess_evidence import latest_inventory

    conn_id = whose.connection.conn_id
    async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
        found = await latest_inventory(store, spec.migration, conn_id)
    if found is None:
        raise NotFoundError(
            f"measuring what migration {spec.migration!r} has today",
            got=f"no inventory of connection {conn_id!r} in the evidence store",
            expected="one, beside which the baselines are kept",
            state="nothing was asked",
            remedy="run 'heavylift inventory SPEC' first, with the same --evidence",
            code="9410",
        )
    return found[1].run
