"""Runbooks: what an on-call engineer reads beside a DAG and beside each of its tasks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from heavylift.spec import Gate, MigrationSpec, Phase
from heavylift.spec.sections_models import Model

_TASK_HEADING = re.compile(r"^### `(?P<task>[a-z_]+)`.*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,3} ", re.MULTILINE)
_SUBJECTS = {
    Phase.REVALIDATE: "model",
    Phase.ASSESS: "what is looked at",
    Phase.PROVISION: "what is made",
    Phase.CUTOVER: "what is switched",
    Phase.ROLLBACK: "what is switched back",
    Phase.DECOMMISSION: "what is given up",
    Phase.MONITOR: "what is watched",
    Phase.OPTIMIZE: "what is judged",
}
_FOLDER_VARIABLE = "HEAVYLIFT_RUNBOOKS"


@dataclass(frozen=True)
class Runbook:
    """One phase's runbook.

    :param text: the whole, in Markdown.
    :param tasks: the section of each task, by the last part of its task id.
    """

    text: str
    tasks: dict[str, str]

    def task(self, name: str) -> str:
        """Return the section about the task ``name``, or empty text."""
        return self.tasks.get(name, "")


def runbooks_dir() -> Path:
    """Return the folder of the runbooks: ``$HEAVYLIFT_RUNBOOKS``, else ``docs/runbooks``."""
    named = os.environ.get(_FOLDER_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[3] / "docs" / "runbooks"


@cache
def read_runbook(phase: Phase) -> Runbook:
    """Return the runbook of ``phase``, read once in a process."""
    path = runbooks_dir() / f"{phase.value}.md"
    if not path.is_file():
        return Runbook(f"The runbook {phase.value}.md is not installed; set {_FOLDER_VARIABLE}.", {})
    text = path.read_text(encoding="utf-8")
    return Runbook(text, dict(_task_sections(text)))


def dag_document(spec: MigrationSpec, phase: Phase) -> str:
    """Return ``doc_md`` of a DAG: what it moves in this migration, then the phase's runbook."""
    rows = [
        f"| {dataset.name} | `{dataset.source.url}` | `{dataset.target.url}` |" for dataset in spec.datasets
    ]
    rows += [
        f"| {database.name} | connection `{database.source.connection}` |"
        f" connection `{database.target.connection}` |"
        for database in spec.databases
    ]
    rows += [
        f"| {stream.name} | connection `{stream.source.connection}` |"
        f" connection `{stream.target.connection}` |"
        for stream in spec.streams
    ]
    rows += [
        f"| {registry.name} | server `{registry.source.connection}` | server `{registry.target.connection}` |"
        for registry in spec.registries
    ]
    rows += [
        f"| {each.name} | feature store `{each.source.connection}` |"
        f" feature store `{each.target.connection}` |"
        for each in spec.feature_stores
    ]
    if phase is Phase.REVALIDATE:
        rows = [_model_line(model) for model in spec.models]
    if phase is Phase.ASSESS:
        rows = [_assess_line(spec)]
    if phase is Phase.PROVISION:
        rows = list(_provided_lines(spec))
    if phase in (Phase.CUTOVER, Phase.ROLLBACK):
        rows = list(_switched_lines(spec))
    if phase is Phase.MONITOR:
        rows = _watch_lines(spec)
    if phase is Phase.OPTIMIZE:
        rows = list(_optimize_lines(spec))
    return "\n".join(
        [
            f"# {spec.dag_id(phase)}",
            "",
            f"{spec.description.strip() or spec.migration}",
            "",
            f"Owner: {spec.owner}. From {spec.source.platform} to {spec.target.platform}.",
            "",
            f"| {_SUBJECTS.get(phase, 'dataset')} | source | target |",
            "|---|---|---|",
            *rows,
            "",
            *[_gate_line(gate) for gate in spec.gates_for(phase)],
            "",
            read_runbook(phase).text,
        ]
    )


def _switched_lines(spec: MigrationSpec) -> Iterator[str]:
    for database in spec.databases:
        yield (
            f"| writes of {database.name} | connection `{database.source.connection}` |"
            f" connection `{database.target.connection}` |"
        )
    if spec.cutover and spec.cutover.traffic:
        steps = ", ".join(f"{step} %" for step in spec.cutover.traffic.steps)
        yield f"| requests, by connection `{spec.cutover.traffic.connection}` | 0 % | {steps} |"
    if spec.cutover and spec.cutover.writers:
        yield f"| writers, by connection `{spec.cutover.writers.connection}` | 0 % | 100 % |"


def _watch_lines(spec: MigrationSpec) -> list[str]:
    lines = []
    for kind, _, watch in spec.monitor.watches() if spec.monitor else ():
        sides = [f"`{place.url}`" if place else "" for place in (watch.source, watch.target)]
        lines.append(f"| {watch.name} ({kind}) | {sides[0]} | {sides[1]} |")
    return lines


def _optimize_lines(spec: MigrationSpec) -> Iterator[str]:
    found = spec.optimize
    for study in found.trials if found else ():
        yield f"| {study.name} (trials) | requests `{study.requests}` | {', '.join(study.knobs)} |"
    for size in found.rightsizing if found else ():
        use = size.series or size.component
        yield f"| {size.name} (rightsizing) | use `{use}` | `{size.instance_type}` |"
    for bought in found.purchases if found else ():
        demand = f"demand `{bought.demand}`" if bought.demand else ""
        yield f"| {bought.name} (mix) | {demand} | prices of {bought.prices_of} |"


def _provided_lines(spec: MigrationSpec) -> Iterator[str]:
    chosen = spec.infrastructure
    if chosen:
        state = f"`{chosen.state}`" if chosen.state else "**nowhere: name `infrastructure.state`**"
        region = f" {spec.target.region}" if spec.target.region else ""
        target = f"{spec.target.platform}{region}, connection `{spec.target.connection}`, state in {state}"
        yield f"| infrastructure of the approved plan | components of {spec.source.platform} | {target} |"
    if spec.secrets:
        yield f"| secrets | store of {spec.source.platform} | store of {spec.target.platform} |"
    for each in spec.pipelines:
        kinds = f"{each.source_kind} | {each.target_kind}, written and not applied"
        yield f"| pipeline {each.name}, `{each.definition}` | {kinds} |"
    if spec.access:
        yield f"| permissions | {spec.source.platform} | {spec.target.platform}, written and not applied |"
    if found := spec.manifests:
        target = f"{found.target}, Kubernetes {found.kubernetes_version}, written and not applied"
        yield f"| manifests, {', '.join(f'`{each}`' for each in found.files)} | {found.source} | {target} |"
    yield from _tried_lines(spec)


def _tried_lines(spec: MigrationSpec) -> Iterator[str]:
    for job in spec.training:
        kind = f"{job.cluster}, " if job.cluster else ""
        target = f"{job.target_kind}, {kind}written and not applied"
        yield f"| training job {job.name} | `{job.definition}` | {target} |"
    for policy in spec.autoscaling:
        target = f"{policy.target_kind}, written and not applied"
        yield f"| autoscaling {policy.name} | `{policy.settings}` | {target} |"
    for rules in spec.alerts:
        yield f"| alerts {rules.name} | {rules.source_kind} | {rules.target_kind}, written and not applied |"


def _assess_line(spec: MigrationSpec) -> str:
    assess, own = spec.assess, spec.target
    connection = (assess.connection if assess else None) or spec.source.connection
    regions = ", ".join(assess.regions if assess else ()) or "all regions"
    places = [(each.platform or own.platform, each.region) for each in (assess.targets if assess else ())]
    named = [
        f"{platform} {region or ''}".strip() for platform, region in places or [(own.platform, own.region)]
    ]
    where = ", ".join(named)
    beside = ", ".join(
        f"`{each.connection}` ({each.system.value})" for each in (assess.also if assess else ())
    )
    lines = [f"| everything | connection `{connection}`, {regions} | {where} |"]
    return "\n".join([*lines, *([f"| beside it | {beside} | {where} |"] if beside else [])])


def _model_line(model: Model) -> str:
    named = f"`{model.registered_name or model.name}` in registry `{model.registry}`"
    sides = [
        f"`{place.url}`" if place else f"endpoint `{endpoint}`" if endpoint else named
        for place, endpoint in (
            (model.source, model.source_endpoint),
            (model.target, model.target_endpoint),
        )
    ]
    return f"| {model.name} | {sides[0]} | {sides[1]} |"


def _gate_line(gate: Gate) -> str:
    approval = "; a person must approve" if gate.approval.required else ""
    checks = ", ".join(check.value for check in gate.checks)
    return f"- Gate **{gate.name}**: {checks}{approval}. {gate.description}"


def _task_sections(text: str) -> list[tuple[str, str]]:
    sections = []
    for found in _TASK_HEADING.finditer(text):
        following = _HEADING.search(text, found.end())
        body = text[found.end() : following.start() if following else len(text)]
        sections.append((found["task"], body.strip()))
    return sections
