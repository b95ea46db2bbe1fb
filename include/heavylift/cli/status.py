"""``heavylift status``: where a migration stands, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.report import no_run
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_store

if TYPE_CHECKING:
    from heavylift.evidence.drill_records import DrillHistory
    from heavylift.report.beside import Told
    from heavylift.report.story import RunStory

app = typer.Typer()


@app.command()
def status(
    migration: Annotated[str, typer.Argument(help="The migration.")],
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Show the last run of each phase, its gates, what is wrong and what to do.

    Reads evidence only. Exits 1 where the last run of a phase has not passed.
    """
    from heavylift.aio import run
    from heavylift.evidence.records import utc_now
    from heavylift.report.verdict import Standing, headline_of

    stories, marks, drills, beside = run(_read(migration, evidence, evidence_conn))
    passed = all(headline_of(story).standing is Standing.PASSED for story in stories)
    finish(
        {
            "migration": migration,
            "passed": passed,
            "phases": [_document(story) for story in stories],
            "watermarks": marks,
            "beside": [each.document for each in beside],
            "drills": {**drills.model_dump(mode="json"), "overdue": drills.is_overdue(utc_now())}
            if drills
            else None,
        },
        text="\n\n".join(
            [
                *(_text(story) for story in stories),
                *_marks_text(marks),
                *_beside_text(beside),
                *_drills_text(drills),
                _trail_text(stories[-1]),
            ]
        ),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


async def _read(
    migration: str, url: str | None, conn: str | None
) -> tuple[list[RunStory], list[dict[str, Any]], DrillHistory | None, tuple[Told, ...]]:
    from heavylift.evidence.drill_records import history_of, last_drills
    from heavylift.evidence.runs import list_runs
    from heavylift.evidence.watermarks import read_watermarks
    from heavylift.report.beside import read_of_migration
    from heavylift.report.story import read_story

    async with evidence_store(url, conn) as store:
        runs = await list_runs(store, migration)
        if not runs:
            raise no_run(migration, store.url, runs)
        latest = {seen.key.phase: seen.key for seen in runs}
        stories = [await read_story(store, key, runs=runs, others=0) for key in latest.values()]
        marks = [mark.model_dump(mode="json") for mark in await read_watermarks(store, migration)]
        drills = [kept.record for kept in await last_drills(store, migration)]
        beside = await read_of_migration(store, migration)
        return stories, marks, history_of(drills) if drills else None, beside


def _document(story: RunStory) -> dict[str, Any]:
    from heavylift.report.advice import advice_on
    from heavylift.report.assessment import assess_view
    from heavylift.report.databases import database_rows
    from heavylift.report.deletions import deletions_of
    from heavylift.report.features import feature_rows
    from heavylift.report.models import model_rows
    from heavylift.report.optimize import optimize_view
    from heavylift.report.provision import provision_view
    from heavylift.report.registries import registry_rows
    from heavylift.report.streams import stream_rows
    from heavylift.report.switch import switch_view
    from heavylift.report.verdict import headline_of, total_counts

    headline = headline_of(story)
    return {
        "phase": story.run.phase,
        "run": story.title,
        "evidence": f"{story.evidence_url.rstrip('/')}/{story.run.folder}",
        "standing": headline.standing.value,
        "headline": headline.title,
        "reasons": list(headline.reasons),
        "counts": total_counts(story).model_dump(mode="json"),
        "databases": [each.document for each in database_rows(story)],
        "streams": [each.document for each in stream_rows(story)],
        "registries": [each.document for each in registry_rows(story)],
        "feature_stores": [each.document for each in feature_rows(story)],
        "models": [each.document for each in model_rows(story)],
        "assessment": found.document if (found := assess_view(story)) else None,
        "infrastructure": made.document if (made := provision_view(story)) and made.makes else None,
        "parts": [row.document for row in made.parts] if made else [],
        "optimisation": better.document if (better := optimize_view(story)) else None,
        "switch": seen.document if (seen := switch_view(story)) else None,
        "deletions": [each.document for each in deletions_of(story).rows if each.counts],
        "beside": [each.document for each in _of_run(story)],
        "gates": [{"gate": each.name, "open": each.is_open, "why": each.standing} for each in story.gates],
        "advice": [{"problem": each.problem, "remedy": each.remedy} for each in advice_on(story)],
        "audit_head": story.trail.head,
    }


def _marks_text(marks: list[dict[str, Any]]) -> list[str]:
    from datetime import datetime

    from heavylift.report.text import when

    def line(mark: dict[str, Any]) -> str:
        at = when(datetime.fromisoformat(mark["listed_at"]))
        state = f"{mark['objects']:,} objects, state {mark['root'][:16]}"
        return f"  {mark['dataset']}: the target follows the source as of {at}, {state}"

    lines = [line(mark) for mark in marks]
    return ["\n".join(["watermarks", *lines])] if lines else []


def _of_run(story: RunStory) -> list[Told]:
    """Return what the run itself has left; what belongs to the migration is told once, at the end."""
    return [each for each, _ in story.beside if each.path.startswith(f"{story.run.folder}/")]


def _line(each: Told) -> str:
    verdict = "" if each.passed is None else "in order: " if each.passed else "NOT IN ORDER: "
    return f"  {each.section:<9} {each.subject}: {verdict}{each.words}"


def _beside_text(beside: tuple[Told, ...]) -> list[str]:
    lines = [f"{_line(each)} ({each.at:%Y-%m-%d %H:%M} UTC)" for each in beside]
    return ["\n".join(["for all runs", *lines])] if lines else []


def _trail_text(story: RunStory) -> str:
    trail = story.trail
    told = trail.problem or f"{trail.length:,} entries, head {trail.head[:16] or '(none)'}"
    return f"audit trail\n  {told}"


def _drills_text(drills: DrillHistory | None) -> list[str]:
    from heavylift.evidence.records import utc_now

    return [f"drills\n  {drills.words(utc_now())}"] if drills else []


def _text(story: RunStory) -> str:
    from heavylift.evidence.wording import counted, size
    from heavylift.report.advice import advice_on
    from heavylift.report.assessment import assess_view
    from heavylift.report.databases import database_line, database_rows
    from heavylift.report.deletions import deletion_in_words, deletions_of
    from heavylift.report.features import feature_line, feature_rows
    from heavylift.report.models import model_line, model_rows
    from heavylift.report.optimize import optimize_view
    from heavylift.report.provision import provision_view
    from heavylift.report.registries import registry_line, registry_rows
    from heavylift.report.streams import stream_line, stream_rows
    from heavylift.report.switch import switch_view
    from heavylift.report.verdict import headline_of, total_counts

    headline, counts = headline_of(story), total_counts(story)
    there = counts.moved + counts.unchanged
    lines = [
        f"{story.run.migration} {story.run.phase}: {headline.label.upper()}: {headline.title}",
        f"  run       {story.title}",
    ]
    if story.has_objects:
        lines.append(
            f"  objects   {there.objects:,} of {counted(counts.found.objects, 'object')} found are on the"
            f" target by the copy's account, {size(there.size_bytes)}; {counts.failed.objects:,} failed,"
            f" {counts.refused.objects:,} refused",
        )
    lines += [f"  database  {database_line(row)}" for row in database_rows(story)]
    lines += [f"  stream    {stream_line(row)}" for row in stream_rows(story)]
    lines += [f"  registry  {registry_line(row)}" for row in registry_rows(story)]
    lines += [f"  features  {feature_line(row)}" for row in feature_rows(story)]
    lines += [f"  model     {model_line(row)}" for row in model_rows(story)]
    if found := assess_view(story):
        lines.append(f"  plan      {found.line}")
    if better := optimize_view(story):
        lines.append(f"  optimise  {better.line}")
    if made := provision_view(story):
        lines += [f"  infra     {made.line}"] if made.makes else []
        lines += [f"  {row.record.part:<9} {row.line}" for row in made.parts]
    if seen := switch_view(story):
        lines.append(f"  switch    {seen.line}")
    if (deletions := deletions_of(story)).rows:
        lines.append(f"  deletions {deletion_in_words(deletions)}")
    lines += [_line(each) for each in _of_run(story)]
    lines += [f"  gate      {each.standing.removeprefix('gate ')}" for each in story.gates]
    for advice in advice_on(story):
        lines += [f"  WRONG     {advice.problem}", f"  to do     {advice.remedy}"]
    return "\n".join(lines)
