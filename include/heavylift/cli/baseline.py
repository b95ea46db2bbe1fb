"""``heavylift baseline``: latency, throughput and errors of a live endpoint, before anything moves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.baseline_text import baseline_text, planned_text
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.baselines.requests import BaselineRequest
    from heavylift.evidence.baseline_records import PredictionCost

app = typer.Typer(no_args_is_help=True)


@app.command()
def baseline(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="measure all that its section assess names, and nothing else"),
    ] = None,
    source_conn: Annotated[
        str | None, typer.Option(metavar="ID", help="connection of the endpoint, type http")
    ] = None,
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="bodies of requests, one JSON document a line")
    ] = None,
    only: Annotated[
        str, typer.Option(help="with SPEC: endpoints (a load on them) or utilisation (only read)")
    ] = "",
    rates: Annotated[str, typer.Option(help="requests a second, ascending, e.g. 5,10,20")] = "1,2,5,10,20",
    step_seconds: Annotated[float, typer.Option(min=1.0, help="at each rate")] = 10.0,
    warm_up_seconds: Annotated[float, typer.Option(min=0.0, help="before that, not counted")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, max=4096, help="open at once, at most")] = 64,
    timeout_seconds: Annotated[
        float, typer.Option(min=0.1, help="from the moment a request is due; then it is an error")
    ] = 30.0,
    arrivals: Annotated[str, typer.Option(help="poisson (as independent callers come) or even")] = "poisson",
    max_error_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="of a rate that counts as sustained")
    ] = 0.01,
    path: Annotated[str, typer.Option(help="in place of the path of the connection's URL")] = "",
    no_floor: Annotated[
        bool, typer.Option("--no-floor", help="do not measure the endpoint against itself")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="an earlier baseline in the evidence store, to compare with"),
    ] = None,
    judged: Annotated[float, typer.Option(help="the quantile that decides: 0.5, 0.9, 0.95, 0.99")] = 0.95,
    max_ratio: Annotated[float, typer.Option(min=1.0, help="how much slower it may be")] = 1.1,
    usd_per_hour: Annotated[
        str | None, typer.Option(help="price of the endpoint, for the cost of 1,000 predictions")
    ] = None,
    billing: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="FOCUS bill (CSV, Parquet), in place of that"),
    ] = None,
    billing_resource: Annotated[str, typer.Option(help="ResourceId of the endpoint in the bill")] = "",
    billing_service: Annotated[str, typer.Option(help="ServiceName of the endpoint in the bill")] = "",
    billing_from: Annotated[datetime | None, typer.Option(help="UTC: when counting began")] = None,
    billing_to: Annotated[datetime | None, typer.Option(help="UTC: when counting ended, exclusive")] = None,
    predictions: Annotated[int, typer.Option(help="that it served between the two")] = 0,
    golden: Annotated[
        str | None, typer.Option(metavar="FILE", help="rows with labels, by which predictions are judged")
    ] = None,
    golden_conn: Annotated[
        str | None, typer.Option(metavar="ID", help="connection of --golden, where that is a URL")
    ] = None,
    label: Annotated[str, typer.Option(help="the column of --golden with the truth")] = "label",
    slices: Annotated[str, typer.Option(help="columns by which metrics are told apart, with commas")] = "",
    metrics: Annotated[str, typer.Option(help="accuracy,f1,auc,log_loss,mae,rmse,r2; by the label")] = "",
    threshold: Annotated[
        float | None, typer.Option(help="where scores are answered: from here on it is the larger label")
    ] = None,
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 20260101,
    migration: Annotated[str, typer.Option(help="name under which evidence is kept")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, say what would be sent, send nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a live endpoint at stepped rates, open-loop, and keep what it does as evidence.

    Each request is due at a moment that is fixed beforehand and its latency counts from then, whatever the
    endpoint did to those before. Ends with 1 where not even the lowest rate was sustained, the endpoint
    went away, or it is not shown to be as fast as the baseline of --compare. With SPEC the endpoints of
    assess.baselines are measured, and what the machines of the newest inventory use is read from the
    platform's monitoring (assess.utilisation); it ends with 1 where something of that could not be read.
    """
    if spec is not None:
        from heavylift.cli.baseline_spec import by_spec

        by_spec(
            spec, only, (source_conn, requests), evidence, evidence_conn, dry_run=dry_run, as_json=as_json
        )
        return
    if source_conn is None or requests is None:
        raise _wrong("the command line", "no SPEC", "SPEC, or --source-conn and --requests", "9408")
    from heavylift.baselines.requests import BaselineRequest, Held
    from heavylift.cli.baseline_golden import golden_ask
    from heavylift.evidence.assess_evidence import ASSESS_PHASE
    from heavylift.evidence.records import RunKey
    from heavylift.load.plan import LoadPlan

    held = Held(compare, _quantile(judged), max_ratio) if compare else None
    request = BaselineRequest(
        run=RunKey(
            migration=migration, phase=ASSESS_PHASE, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        ),
        connection=connection_from_env(source_conn),
        requests=requests,
        plan=LoadPlan(
            rates=_rates(rates),
            step_seconds=step_seconds,
            warm_up_seconds=warm_up_seconds,
            connections=connections,
            timeout_seconds=timeout_seconds,
            arrivals=_arrivals(arrivals),
            max_error_rate=max_error_rate,
            seed=seed,
            floor=not no_floor,
        ),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        path=path,
        held=held,
        usd_per_hour=_price(usd_per_hour),
        golden=golden_ask(golden, golden_conn, label, slices, metrics, threshold),
        cost=_billed(billing, billing_resource, billing_service, billing_from, billing_to, predictions),
    )
    (_show if dry_run else _take)(request, as_json=as_json)


def _show(request: BaselineRequest, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.baselines.api import prepare

    prepared = run(prepare(request))
    plan = request.plan
    document = {
        "address": prepared.address,
        "bodies": len(prepared.bodies.bodies),
        "requests_sha256": prepared.bodies.sha256,
        "rates": plan.rates,
        "seconds": plan.seconds,
        "requests": planned_requests(request),
        "golden_rows": 0 if prepared.known is None else prepared.known.golden.rows,
    }
    finish({"planned": document}, text=planned_text(document), as_json=as_json)


def planned_requests(request: BaselineRequest) -> int:
    """Return how many requests are sent where every rate is tried."""
    plan = request.plan
    first = plan.warm_up_seconds + (2 * plan.step_seconds if plan.floor else 0)
    return 1 + round(plan.rates[0] * first + sum(rate * plan.step_seconds for rate in plan.rates))


def _take(request: BaselineRequest, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.baselines.api import measure_baseline

    record, ref = run(measure_baseline(request, note))
    details = {"passed": record.passed, "max_sustained": record.max_sustained}
    note_act(request, record.connection, "baseline.measured", (ref,), details)
    finish(
        {"baseline": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=baseline_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(each) for each in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < 1e6 for rate in rates) or list(rates) != sorted(set(rates)):
        raise _wrong("--rates", text, "numbers above 0, ascending, such as 5,10,20", "7690")
    return rates


def _arrivals(text: str) -> Literal["poisson", "even"]:
    if text == "poisson":
        return "poisson"
    if text == "even":
        return "even"
    raise _wrong("--arrivals", text, "poisson or even", "7691")


def _quantile(judged: float) -> float:
    from heavylift.load.intervals import QUANTILES

    if judged not in QUANTILES:
        raise _wrong("--judged", f"{judged:g}", ", ".join(f"{each:g}" for each in QUANTILES), "7692")
    return judged


def _price(text: str | None) -> str | None:
    from heavylift.baselines.cost import cost_of_hours

    if text is not None:
        cost_of_hours(text, 1.0)  # refused now, and not after the measurement
    return text


def _billed(
    bill: Path | None,
    resource: str,
    service: str,
    start: datetime | None,
    end: datetime | None,
    predictions: int,
) -> PredictionCost | None:
    if bill is None:
        return None
    from heavylift.baselines.bills import read_bill
    from heavylift.baselines.cost import Charged, cost_of_bill

    if start is None or end is None or not (resource or service):
        got = "no resource or service, or no time"
        raise _wrong("--billing", got, "--billing-resource or -service, --billing-from and -to", "7696")
    charged = Charged(resource, service, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    return cost_of_bill(read_bill(bill), charged, predictions)


def _wrong(option: str, got: str, expected: str, code: str) -> SpecError:
    return SpecError(
        f"reading {option}",
        got=repr(got),
        expected=expected,
        state="nothing was touched",
        remedy=f"correct {option}",
        code=code,
    )
