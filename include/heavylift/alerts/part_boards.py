"""The dashboards of a spec, translated for the phase provision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.alerts.board_api import DashboardRequest, translate_board
from heavylift.alerts.documents import written
from heavylift.alerts.model import Platform
from heavylift.evidence.part_evidence import Made
from heavylift.evidence.part_records import PartGap
from heavylift.evidence.records import RunKey
from heavylift.spec.beside import file_beside, plain_files_beside
from heavylift.spec.secrets import holds_secret

if TYPE_CHECKING:
    from heavylift.evidence.alert_records import DashboardRecord
    from heavylift.spec.sections_jobs import AlertRules


@dataclass
class Found:
    """What has no counterpart, and with its file what behaves otherwise; none of it judged yet."""

    left: list[PartGap] = field(default_factory=list)
    differing: list[tuple[str, PartGap]] = field(default_factory=list)


def find_boards(made: Made, found: Found, spec_path: str, rules: AlertRules, run: RunKey) -> None:
    """Translate the dashboards of a set of rules, each line drawn on both sides; writes nothing.

    :raises NotFoundError: a file is missing.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """
    series = [path for pattern in rules.series for path in plain_files_beside(spec_path, pattern)]
    paths = [path for pattern in rules.dashboards for path in plain_files_beside(spec_path, pattern)]
    for path in dict.fromkeys(paths):
        record = translate_board(
            DashboardRequest(
                run=run,
                source=Platform(rules.source_kind.value),
                target=Platform(rules.target_kind.value),
                file=path,
                names_path=file_beside(spec_path, rules.names),
                series_paths=series,
            )
        )
        _add(made, found, rules.name, path, record)


def _add(made: Made, found: Found, name: str, path: Path, record: DashboardRecord) -> None:
    file = f"{name}.{path.stem}.{record.target}.dashboard.json"
    found.left += [
        PartGap(subject=f"{name}: {each.rule}", what=each.what, remedy=each.remedy)
        for each in record.untranslated
    ]
    for each in record.lines:
        if not each.equal:
            what = f"{each.source} draws otherwise: {each.why}"
            gap = PartGap(
                subject=f"{name}: {each.widget}",
                what=what,
                remedy="draw it by hand, or accept its widget by the title",
            )
            found.differing.append((file, gap))
    equal = sum(each.equal for each in record.lines)
    made.valid += equal
    made.counts["dashboards"] += 1
    made.counts["lines"] += len(record.lines)
    made.counts["with_loss"] += len(record.losses)
    text = written(record.document, Path(file))
    told = record.model_dump(
        mode="json", exclude={"run", "created_at", "schema_version", "document", "passed", "failures"}
    )
    report = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    keep_text(made, f"{name}: {path.name}", {file: text, f"{name}.{path.stem}.dashboard.report.json": report})


def keep_text(made: Made, subject: str, files: Mapping[str, str]) -> None:
    """Keep files, unless one holds what looks like a secret: then none, and a gap says so."""
    if not any(holds_secret(text) for text in files.values()):
        made.files.update(files)
        return
    made.gaps.append(
        PartGap(
            subject=subject,
            what="a value that looks like a secret stands in it, which therefore is not kept",
            remedy="take it out of the source's document: addresses that alerts go to are named by channels",
        )
    )
