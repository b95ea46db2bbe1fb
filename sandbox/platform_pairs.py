"""Writes the tables of docs/guides/platform-pairs.md from the facts that plans are made of.

``python -m sandbox.platform_pairs`` writes them between their marks, ``--check`` tells whether they are up
to date. What stands outside the marks is written by hand and left alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from heavylift.facts.services import PLATFORMS, ServiceMap, ServiceMatch, load_services

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "platform-pairs.md"
NAMES = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure", "kubernetes": "Kubernetes"}
_MARK = re.compile(r"(<!-- facts: ([a-z ]+) -->\n).*?(<!-- end of facts -->)", re.DOTALL)
_ANY = "whatever the pair"


def render(page: str) -> str:
    """Return the page with fresh tables between its marks.

    A mark is ``<!-- facts: SOURCE TARGET -->``, or ``<!-- facts: whatever the pair -->`` for what is the same
    between all platforms, each with ``<!-- end of facts -->`` behind the table.
    """
    services = load_services()

    def fresh(found: re.Match[str]) -> str:
        words = found[2].split()
        table = _common(services) if found[2] == _ANY else _pair(services, words[0], words[1])
        return f"{found[1]}\n{table}\n{found[3]}"

    return _MARK.sub(fresh, page)


def marks(page: str) -> list[str]:
    """Return what the marks of a page ask for, in their order."""
    return [found[2] for found in _MARK.finditer(page)]


def _common(services: ServiceMap) -> str:
    """Return the table of what loses the same on every way that has a counterpart at its end."""
    rows = [
        [capability, *(_of(row, platform) for platform in PLATFORMS), gap["effort"], gap["lost"]]
        for capability, row in services.rows.items()
        if (gap := services.gaps.get((capability, "*", "*")))
    ]
    return _table(["Capability", *NAMES.values(), "Effort", "What does not come along"], rows)


def _of(row: dict[str, str], platform: str) -> str:
    return row["k8s_onprem" if platform == "kubernetes" else platform] or "–"


def _pair(services: ServiceMap, source: str, target: str) -> str:
    matches = [services.match(capability, source, target) for capability in services.rows]
    well = [each for each in matches if each.level == "equivalent" and each.source_service]
    own = [each for each in matches if each.level == "partial" and not _is_common(services, each)]
    none = [each for each in matches if each.level == "none"]
    parts = [f"**Maps well**: {_listed(well)}."]
    if own:
        rows = [
            [each.capability, each.source_service or "–", each.target_service, str(each.effort), each.lost]
            for each in own
        ]
        head = ["Capability", NAMES[source], NAMES[target], "Effort", "What does not come along"]
        parts.append(_table(head, rows).rstrip("\n"))
    if none:
        lines = [f"- {each.capability} ({each.source_service or '–'}): {each.lost}" for each in none]
        parts.append("**No counterpart**:\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _is_common(services: ServiceMap, match: ServiceMatch) -> bool:
    row = services.gaps.get((match.capability, "*", "*"))
    return row is not None and (row["lost"], row["effort"]) == (match.lost, str(match.effort))


def _listed(matches: Iterable[ServiceMatch]) -> str:
    return ", ".join(f"{each.capability} ({each.source_service} → {each.target_service})" for each in matches)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with ``--check`` compare it; 1 if it was out of date."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.platform_pairs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    page = PAGE.read_text(encoding="utf-8")
    fresh = render(page)
    if page == fresh:
        return 0
    if options.check:
        sys.stderr.write(f"{PAGE} is out of date; run: python -m sandbox.platform_pairs\n")
        return 1
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
