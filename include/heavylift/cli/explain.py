"""``heavylift explain``: what an error code means and what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import finish
from heavylift.cli.stores import AsJson

if TYPE_CHECKING:
    from heavylift.report.codes import Explanation

app = typer.Typer()


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="The code, such as HL-2101.")], as_json: AsJson = False
) -> None:
    """Say what an error code means, whether a retry is safe, and what to do. Needs no network."""
    from heavylift.report.codes import explain as look_up

    found = look_up(code)
    document = asdict(found) | {"code": f"HL-{found.code}", "runbook": found.runbook}
    finish(document, text=_text(found), as_json=as_json)


def _text(found: Explanation) -> str:
    safe = "safe" if found.retry_safe else "not safe before it is mended"
    itself = "Airflow retries it by itself" if found.retries_itself else "not retried by itself"
    rows = [
        *(("means", each) for each in found.means),
        ("class", ", ".join(found.classes)),
        ("retry", f"{safe}; {itself}"),
        *(("to fix", each) for each in found.remedies),
        ("to do", found.advice.replace("`", "")),
        *([("note", found.note.replace("`", ""))] if found.note else []),
        ("more", f"{found.more}; {found.page}; {found.runbook}"),
    ]
    return "\n".join([f"HL-{found.code}: {found.area}", *(f"  {name + ':':8} {text}" for name, text in rows)])
