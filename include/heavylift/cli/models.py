"""``heavylift models``: may a model go to the target, does it behave there alike, and has it an open form?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.models_options import (
    MIGRATION,
    Accept,
    Form,
    GoldenSuite,
    Migration,
    Name,
    Offline,
    Requirement,
    Source,
    SourceArtifactsConn,
    SourceConn,
    SourceRuntime,
    Target,
    TargetArtifactsConn,
    TargetConn,
    TargetRuntime,
    Trust,
    Version,
    endpoint_of,
    latency_plan,
    place_of,
    registered_or_folder,
    request_of,
    suite_of,
    with_check,
)
from heavylift.cli.models_text import checked, compared, converted
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.errors import SpecError
from heavylift.spec.sections_models import PortableForm

if TYPE_CHECKING:
    from heavylift.evidence.model_records import ModelBaseline

app = typer.Typer(no_args_is_help=True, help="Check, compare and convert models.")


@app.command()
def check(
    source: Source,
    target: Target = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    source_runtime: SourceRuntime = None,
    target_runtime: TargetRuntime = None,
    requirement: Requirement = None,
    accept: Accept = None,
    trust: Trust = None,
    offline: Offline = False,
    name: Name = None,
    version: Version = "",
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Say what keeps a model from the target, before it moves; with TARGET also whether it arrived whole.

    Looks at every file without loading any, solves its environment, and holds its needs against a runtime.
    Ends with 1 where something stands in the way.
    """
    from heavylift.aio import run
    from heavylift.models.api import check_model
    from heavylift.registry.named import open_registry

    request = request_of(
        source, target, source_conn, target_conn, name, version, migration, evidence, evidence_conn,
        (source_artifacts_conn, target_artifacts_conn),
    )  # fmt: skip
    request = with_check(request, source_runtime, target_runtime, requirement, accept, trust, offline=offline)
    record, ref = run(check_model(request, note, open_registry))
    note_act(
        request, request.name, "model.checked", (ref,), {"passed": record.passed, "digest": record.digest}
    )
    finish(
        {"check": record.model_dump(mode="json")},
        text=checked(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


@app.command()
def compare(
    source: Source = None,
    target: Target = None,
    golden: Annotated[
        str | None, typer.Option(help="Parquet, CSV or JSON with inputs; default: the model's own example")
    ] = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    golden_conn: Annotated[str | None, typer.Option(help="connection id of the golden inputs' store")] = None,
    source_endpoint: Annotated[
        str | None, typer.Option(help="connection id of a scoring server, in place of SOURCE")
    ] = None,
    target_endpoint: Annotated[
        str | None, typer.Option(help="connection id of a scoring server, in place of TARGET")
    ] = None,
    golden_suite: GoldenSuite = None,
    label: Annotated[str, typer.Option(help="column of the golden inputs with the truth")] = "",
    drop: Annotated[list[str] | None, typer.Option(help="a column that is no input; repeatable")] = None,
    slice_by: Annotated[
        list[str] | None, typer.Option("--slice", help="a column whose values are told apart; repeatable")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="accuracy, f1, auc, log_loss, mae, rmse or r2; repeatable")
    ] = None,
    max_metric_drop: Annotated[float, typer.Option(min=0.0, help="how much worse a metric may be")] = 0.005,
    absolute: Annotated[float | None, typer.Option(min=0.0, help="largest absolute difference")] = None,
    relative: Annotated[float | None, typer.Option(min=0.0, help="largest relative difference")] = None,
    max_mismatch_rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="of rows")] = 0.001,
    requests: Annotated[int, typer.Option(min=100, help="requests to each side for the latency")] = 5000,
    warm_up: Annotated[int, typer.Option(min=0, help="requests before that, not counted")] = 200,
    max_latency_ratio: Annotated[float, typer.Option(min=0.0, help="of P95, target to source")] = 1.1,
    no_latency: Annotated[bool, typer.Option("--no-latency", help="leave durations out")] = False,
    baseline: Annotated[
        Path | None, typer.Option(help="JSON of an earlier measurement of the source, to be held as well")
    ] = None,
    source_runtime: SourceRuntime = None,
    target_runtime: TargetRuntime = None,
    requirement: Requirement = None,
    accept: Accept = None,
    trust: Trust = None,
    offline: Offline = False,
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 20260101,
    name: Name = None,
    version: Version = "",
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Run a model on both sides, each in an environment of its own, and compare the answers.

    Its files are looked at first; what could act on its loader is not run. Ends with 1 where they differ.
    """
    from heavylift.aio import run
    from heavylift.datasets.suites import judge_rows
    from heavylift.models.api import revalidate_model
    from heavylift.registry.named import open_registry
    from heavylift.scoring.metrics import METRICS

    wrong = sorted(set(metric or ()) - set(METRICS))
    if wrong:
        raise SpecError(
            "reading --metric",
            got=", ".join(wrong),
            expected=", ".join(METRICS),
            state="nothing was touched",
            remedy="correct --metric",
            code="7583",
        )
    request = with_check(
        request_of(
            source,
            target,
            source_conn,
            target_conn,
            name,
            version,
            migration,
            evidence,
            evidence_conn,
            (source_artifacts_conn, target_artifacts_conn),
        ),
        source_runtime,
        target_runtime,
        requirement,
        accept,
        trust,
        offline=offline,
    )
    options = replace(
        request.compare,
        label=label,
        drop=tuple(drop or ()),
        slices=tuple(slice_by or ()),
        metrics=tuple(metric or ()),
        max_metric_drop=max_metric_drop,
        absolute=absolute,
        relative=relative,
        max_mismatch_rate=max_mismatch_rate,
        latency=latency_plan(requests, warm_up, max_latency_ratio, skip=no_latency),
        seed=seed,
    )
    request = replace(
        request,
        golden=place_of(golden, golden_conn or source_conn) if golden else None,
        golden_suite=suite_of(golden_suite),
        source_endpoint=endpoint_of(source_endpoint),
        target_endpoint=endpoint_of(target_endpoint),
        compare=options,
    )
    record, ref = run(revalidate_model(request, note, _baseline(baseline), open_registry, judge_rows))
    details = {"passed": record.passed, "rows": record.rows, "mismatched": record.mismatched}
    note_act(request, request.name, "model.compared", (ref,), details)
    finish(
        {"comparison": record.model_dump(mode="json")},
        text=compared(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


@app.command()
def convert(
    source: Source,
    into: Annotated[
        str,
        typer.Argument(
            help="A folder's URL or path below which the new model goes, or models:/NAME: a new version of"
            " that model in the target's registry."
        ),
    ],
    golden: Annotated[
        str | None, typer.Option(help="Parquet, CSV or JSON with inputs; default: the model's own example")
    ] = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    golden_conn: Annotated[str | None, typer.Option(help="connection id of the golden inputs' store")] = None,
    label: Annotated[str, typer.Option(help="column of the golden inputs with the truth")] = "",
    drop: Annotated[list[str] | None, typer.Option(help="a column that is no input; repeatable")] = None,
    form: Form = PortableForm.ONNX,
    requirement: Requirement = None,
    accept: Accept = None,
    trust: Trust = None,
    offline: Offline = False,
    name: Name = None,
    version: Version = "",
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Make an open form of a model, prove that it is the model, and put it on the target; never twice.

    Ends with 1 where a part of it has no converter, or the proof fails: then nothing is written.
    """
    from heavylift.aio import run
    from heavylift.models.portable import Conversion, convert_model
    from heavylift.registry.named import open_registry

    request = request_of(
        source, None, source_conn, None, name, version, migration, evidence, evidence_conn,
        (source_artifacts_conn, None),
    )  # fmt: skip
    request = with_check(request, None, None, requirement, accept, trust, offline=offline)
    request = replace(
        request,
        golden=place_of(golden, golden_conn or source_conn) if golden else None,
        compare=replace(request.compare, label=label, drop=tuple(drop or ())),
    )
    place = registered_or_folder(into, target_conn, target_artifacts_conn)
    conversion = Conversion(request, place, form.value)
    record, ref = run(convert_model(conversion, note, open_registry))
    details = {"passed": record.passed, "place": record.place, "already": record.already}
    note_act(request, request.name, "model.converted", (ref,), details)
    finish(
        {"conversion": record.model_dump(mode="json")},
        text=converted(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _baseline(path: Path | None) -> ModelBaseline | None:
    if path is None:
        return None
    from heavylift.evidence.model_records import ModelBaseline

    try:
        return ModelBaseline.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(
            f"reading the baseline {path}",
            got=" ".join(str(error).split())[:300],
            expected="the field baseline of a comparison's record",
            state="nothing was touched",
            remedy="correct --baseline",
            code="7584",
        ) from error
