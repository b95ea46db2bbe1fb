"""``heavylift monitor accuracy``: predictions against the labels that have come by now."""

from __future__ import annotations

from typing import Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.monitor_options import (
    Memory,
    MigrationName,
    Side,
    Strict,
    Watch,
    conclude,
    kept_of,
    place_of,
    wrong,
)
from heavylift.cli.monitor_text import accuracy_text
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn


def accuracy_command(
    predictions: Annotated[str, typer.Argument(metavar="PREDICTIONS_URL", help="folder or file")],
    labels: Annotated[str, typer.Argument(metavar="LABELS_URL", help="folder or file")],
    key: Annotated[list[str], typer.Option("--key", metavar="COLUMN", help="that joins both; several")],
    prediction: Annotated[str, typer.Option(metavar="COLUMN", help="of the predictions")] = "prediction",
    label: Annotated[str, typer.Option(metavar="COLUMN", help="of the labels")] = "label",
    label_key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="where labels call the key otherwise")
    ] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", metavar="COLUMN", help="of the predictions; may be several")
    ] = None,
    predicted_at: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="moment of the prediction; or seconds since 1970")
    ] = None,
    labelled_at: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="moment of the label; the latest one counts")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="accuracy, precision, recall, f1, mae, rmse, log_loss")
    ] = "accuracy",
    positive: Annotated[str, typer.Option(help="label that precision, recall, f1 and log_loss mean")] = "1",
    baseline: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|PATH", help="or path of an earlier record"),
    ] = None,
    max_drop: Annotated[float, typer.Option(min=0.0, help="how much worse, in the metric's own unit")] = 0.02,
    min_coverage: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="share with labels, below which nothing is told"),
    ] = 0.5,
    mature_hours: Annotated[
        float, typer.Option(min=0.0, help="younger predictions are not expected to have labels")
    ] = 0.0,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999999, help="of all slices together")] = 0.95,
    predictions_conn: Annotated[str | None, typer.Option(metavar="ID", help="none for file://")] = None,
    labels_conn: Annotated[str | None, typer.Option(metavar="ID", help="none for file://")] = None,
    memory_mib: Memory = 512,
    watch: Watch = "shell",
    side: Side = "",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Join predictions with labels that come later; tell metric, interval and coverage.

    Both tables are only read. Ends with 1 where the metric, over all or in a slice, has surely dropped by
    more than --max-drop.
    """
    from heavylift.aio import run
    from heavylift.monitor.accuracy import METRICS, AccuracyRequest, measure_accuracy
    from heavylift.monitor.joining import Columns

    if metric not in METRICS:
        raise wrong("--metric", repr(metric), ", ".join(METRICS), "8914")
    request = AccuracyRequest(
        kept=kept_of(migration, watch, side, evidence, evidence_conn),
        predictions=place_of(predictions, predictions_conn),
        labels=place_of(labels, labels_conn),
        predicted=Columns(tuple(key), prediction, predicted_at, tuple(slices or ())),
        labelled=Columns(tuple(label_key or key), label, labelled_at),
        metric=metric,
        positive=positive,
        baseline=_baseline(baseline),
        max_drop=max_drop,
        mature_seconds=mature_hours * 3600,
        min_coverage=min_coverage,
        confidence=confidence,
        memory_bytes=memory_mib * 1024 * 1024,
    )
    record, ref = run(measure_accuracy(request))
    conclude(request.kept, record, ref, accuracy_text(record, ref), strict=strict, as_json=as_json)


def _baseline(text: str | None) -> float | str | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
