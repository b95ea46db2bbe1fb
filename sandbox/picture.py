"""The picture of the system, drawn from the example's real DAG and spec: ``python -m sandbox.picture``.

Stores and datasets come from the spec, tasks and their order from the DAG that Airflow would
run; so the picture cannot tell of a step that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from heavylift.spec import MigrationSpec, Phase, load_specs, migrations_dir
from sandbox.paths import REPO

PICTURE = REPO / "docs" / "images" / "system.svg"
WIDTH, HEIGHT = 1180, 640
_STYLE = """
text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #1f2937 }
.head { font-weight: 600 } .small { font-size: 12px; fill: #4b5563 }
.mono { font-family: ui-monospace, monospace }
.box { fill: #fff; stroke: #9ca3af } .cloud { fill: #eef6ff; stroke: #60a5fa }
.flow { fill: #f6f5ff; stroke: #a78bfa } .proof { fill: #f0fdf4; stroke: #4ade80 }
.task { fill: #fff; stroke: #8b5cf6 } .arrow { stroke: #6b7280; fill: none; marker-end: url(#tip) }
"""


@dataclass(frozen=True)
class Steps:
    """The DAG's steps in the order in which they run; a group's own steps are inside it."""

    before: list[str]
    dataset: list[str]
    gate: list[str]
    after: list[str]


def write_picture(path: Path) -> None:
    """Draw the example migration and write it as SVG."""
    from airflow.sdk import DAG

    from heavylift_airflow.phases.movement import movement_dag

    loaded = next(s for s in load_specs(migrations_dir()).valid if s.spec.migration == "fraud-scoring")
    dag = movement_dag(loaded, Phase.TRANSFER)
    if not isinstance(dag, DAG):
        raise TypeError("the example makes no transfer DAG")
    path.write_text(draw(loaded.spec, steps_of(dag, loaded.spec)), encoding="utf-8")


def steps_of(dag: Any, spec: MigrationSpec) -> Steps:
    """Return the steps of a movement DAG; the longest dataset stands for all."""
    order = [task.task_id for task in dag.topological_sort()]
    datasets = {
        dataset.name: [t for t in order if t.startswith(f"{dataset.name}.")] for dataset in spec.datasets
    }
    gate = [t for t in order if t.startswith("gate_")]
    grouped = {task for tasks in datasets.values() for task in tasks} | set(gate)
    first = min(order.index(task) for task in grouped)
    single = [t for t in order if t not in grouped]
    return Steps(
        before=[t for t in single if order.index(t) < first],
        dataset=[_name(t) for t in max(datasets.values(), key=len)],
        gate=[_name(t) for t in gate],
        after=[t for t in single if order.index(t) > first],
    )


def _name(task_id: str) -> str:
    return task_id.rpartition(".")[2]


def draw(spec: MigrationSpec, steps: Steps) -> str:
    """Return the picture as SVG text."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-label="How a migration flows through Heavylift">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#6b7280"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_sides(spec),
        *_flow(spec, steps),
        *_proof(),
        *_arrows(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _sides(spec: MigrationSpec) -> list[str]:
    def side(x: int, title: str, platform: str, urls: Sequence[str]) -> list[str]:
        lines = [_box(x, 40, 270, 150, "cloud"), _text(x + 16, 68, f"{title}: {platform}", "head")]
        return lines + [_text(x + 16, 96 + 24 * n, url, "small mono") for n, url in enumerate(urls)]

    source = [dataset.source.url for dataset in spec.datasets]
    target = [dataset.target.url for dataset in spec.datasets]
    return side(20, "source", spec.source.platform, source) + side(
        890, "target", spec.target.platform, target
    )


def _flow(spec: MigrationSpec, steps: Steps) -> list[str]:
    top = 270
    lines = [
        _box(20, top, 1140, 170, "flow"),
        _text(36, top + 26, f"Airflow DAG {spec.dag_id(Phase.TRANSFER)}", "head"),
    ]
    x = 36
    for tasks, title in (
        (steps.before, ""),
        (steps.dataset, f"each dataset ({', '.join(d.name for d in spec.datasets)})"),
        (steps.gate, "gate"),
        (steps.after, ""),
    ):
        widths = [_width(task) for task in tasks]
        if title:
            lines.append(_box(x - 4, top + 44, sum(widths) + 12 * len(tasks), 108, "box"))
            lines.append(_text(x + 8, top + 66, _cut(title, sum(widths)), "small"))
        for task, width in zip(tasks, widths, strict=True):
            lines.append(_box(x + 2, top + 88, width, 40, "task"))
            lines.append(_text(x + 2 + width / 2, top + 113, task, "small mono", middle=True))
            x += width + 12
        x += 14
    return lines


def _width(task: str) -> int:
    return 24 + int(7.4 * len(task))


def _cut(text: str, pixels: int) -> str:
    most = pixels // 6
    return text if len(text) <= most else text[: most - 1] + "…"


def _proof() -> list[str]:
    lines = [
        _box(20, 480, 1140, 130, "proof"),
        _text(36, 506, "evidence store: written once, never overwritten", "head"),
    ]
    kinds = (
        ("plan and manifests (Parquet)", "one row an object: both versions, both checksums"),
        ("verification, table checks", "both sides listed and compared afresh"),
        ("gate results and approvals", "bound to the digest of what was seen"),
        ("report (one HTML file)", "what moved, how it was proved"),
        ("audit trail", "hash-chained: heavylift audit verify"),
    )
    for number, (title, text) in enumerate(kinds):
        x = 36 + 224 * number
        lines += [_text(x, 544, title, "small head"), *_wrapped(x, 564, text)]
    return lines


def _wrapped(x: int, y: int, text: str) -> list[str]:
    lines: list[str] = []
    current = ""
    for word in text.split():
        if len(current) + len(word) > 30:
            lines, current = [*lines, current], word
        else:
            current = f"{current} {word}".strip()
    return [_text(x, y + 18 * n, line, "small") for n, line in enumerate([*lines, current])]


def _arrows() -> list[str]:
    return [
        '<path class="arrow" d="M290 120 H886"/>',
        _text(
            590,
            108,
            "bytes stream through workers: read pinned, proved by the source's checksum,",
            "small",
            middle=True,
        ),
        _text(
            590,
            140,
            "written create-only, proved by the target's own checksum or read back",
            "small",
            middle=True,
        ),
        '<path class="arrow" d="M590 266 V160"/>',
        _text(604, 216, "operators call the library;", "small"),
        _text(604, 236, "the command line calls the same", "small"),
        '<path class="arrow" d="M590 444 V476"/>',
    ]


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>'


def _text(x: float, y: float, text: str, kind: str = "", *, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{anchor}>{escape(text)}</text>'


if __name__ == "__main__":
    write_picture(PICTURE)
