"""What is told of a translation: every step with its fate, machines with reasons, data, parameters."""

from __future__ import annotations

import re
from typing import Any

from heavylift.pipelines.api import Translation
from heavylift.pipelines.model import Step
from heavylift.pipelines.notes import Fate
from heavylift.pipelines.preparing import READER
from heavylift.pipelines.walk import all_nodes, all_steps, own_atoms, producer_of

_SIGNED = re.compile(r"\?[^\s,]*")


def report_of(translation: Translation) -> dict[str, Any]:
    """Return the report as plain JSON. It holds no value of a variable or parameter."""
    notes = translation.notes
    nodes = list(all_nodes(translation.source.nodes))
    steps = [_step(translation, node.name, _kind(node), node) for node in nodes]
    known = {node.name for node in nodes} | {"pipeline"}
    # What was held by something that could not be translated is told, too.
    gone = {note.subject for note in notes.entries} - known
    steps += [_step(translation, name, "dropped with what holds it", None) for name in sorted(gone)]
    fates = [step["fate"] for step in steps]
    return {
        "file": translation.file,
        "source": str(translation.source.source),
        "target": str(translation.target),
        "counts": {str(fate): fates.count(str(fate)) for fate in Fate},
        "steps": steps,
        "pipeline": _notes(translation, "pipeline"),
        "parameters": [
            {"name": p.name, "type": p.type, "has_default": p.default is not None}
            for p in translation.source.parameters
        ],
        "data": _data(translation),
        "added": [s.name for s in all_steps(translation.prepared.pipeline) if s.origin == READER],
    }


def _kind(node: Any) -> str:
    if isinstance(node, Step):
        return node.origin or node.kind
    return type(node).__name__.lower()


def _step(translation: Translation, name: str, kind: str, node: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "fate": str(translation.notes.fate_of(name)),
        "notes": _notes(translation, name),
    }
    choice = translation.prepared.machines.get(name)
    if isinstance(node, Step) and choice is not None:
        made["machine"] = {
            "source": node.machine.instance,
            "target": choice.machine.instance,
            "count": choice.machine.count,
            "cpus": choice.machine.cpus,
            "memory_gib": choice.machine.memory_gib,
            "accelerator": choice.machine.accelerator,
            "accelerators": choice.machine.accelerators,
            "reason": choice.problem or choice.reason,
        }
    return made


def _notes(translation: Translation, name: str) -> list[dict[str, str]]:
    return [
        # What follows a question mark in an address may be a signature that opens it.
        {"fate": str(note.fate), "what": _SIGNED.sub("?***", note.what), "remedy": note.remedy}
        for note in translation.notes.entries
        if note.subject == name
    ]


def _data(translation: Translation) -> list[dict[str, str]]:
    found = []
    for node in all_nodes(translation.source.nodes):
        made = dict.fromkeys(found_ for atom in own_atoms(node) if (found_ := producer_of(atom)))
        found += [{"source": f"{output.step}.{output.port}", "target": node.name} for output in made]
    return found


def report_text(report: dict[str, Any]) -> str:
    """Return the report for people."""
    counts = ", ".join(f"{count} {fate}" for fate, count in report["counts"].items())
    lines = [f"{report['file']}: {report['source']} to {report['target']}: {counts}"]
    if report["pipeline"]:
        lines += ["", "the pipeline itself"]
        lines += [f"  - {note['what']}. To do: {note['remedy']}" for note in report["pipeline"]]
    for step in report["steps"]:
        lines += ["", f"{step['name']} ({step['kind']}): {step['fate']}"]
        if "machine" in step:
            machine = step["machine"]
            named = machine["target"] or "by its needs"
            lines.append(f"  machine: {machine['source'] or 'none named'} to {named}: {machine['reason']}")
        lines += [f"  - {note['what']}. To do: {note['remedy']}" for note in step["notes"]]
    if report["added"]:
        lines += ["", f"added, to read values out of files: {', '.join(report['added'])}"]
    return "\n".join(lines) + "\n"
