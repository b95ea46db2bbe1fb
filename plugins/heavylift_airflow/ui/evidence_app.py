"""Shows evidence in the Airflow UI, to those who may read the DAG that wrote it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path, PurePosixPath
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, RedirectResponse
from starlette.background import BackgroundTask

from heavylift.errors import HeavyliftError, NotFoundError, PermanentError
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.paths import check_path, report_path
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.spec import MigrationSpec, load_specs, migrations_dir
from heavylift_airflow.context import run_key
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.links.evidence import evidence_url
from heavylift_airflow.ui.board_app import Board

# Evidence is data that clouds and users wrote: a browser may show it, never run it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox;"
    " frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
_SHOWN = {".json": "application/json", ".html": "text/html; charset=utf-8"}

DagId = Annotated[str, PathParameter(max_length=250)]


def build_app() -> FastAPI:
    """Return the application; it serves nothing without a login."""
    app = FastAPI(title="Heavylift evidence", docs_url=None, redoc_url=None, openapi_url=None)
    may_read = [Depends(requires_access_dag("GET", DagAccessEntity.RUN))]
    app.get("/evidence/{dag_id}/{path:path}", dependencies=may_read)(show_evidence)
    app.get("/report/{dag_id}/{run_id:path}", dependencies=may_read)(show_report)
    Board().add_to(app)
    return app


async def show_evidence(dag_id: DagId, path: str) -> Response:
    """Send the evidence at ``path``, which must belong to the DAG's migration."""
    spec = await asyncio.to_thread(_spec_of, dag_id)
    _check_owner(spec, path)
    try:
        connection = await asyncio.to_thread(look_up, spec.evidence.connection)
        async with open_evidence(spec.evidence.url, connection) as store:
            return await _send(store, path)
    except NotFoundError as error:
        raise HTTPException(404, "no such evidence") from error
    except HeavyliftError as error:
        raise HTTPException(502, str(error)) from error


async def show_report(dag_id: DagId, run_id: str) -> Response:
    """Go to the newest report of a run."""
    spec = await asyncio.to_thread(_spec_of, dag_id)
    run = run_key(spec.migration, dag_id.rpartition(".")[2], run_id)
    try:
        connection = await asyncio.to_thread(look_up, spec.evidence.connection)
        async with open_evidence(spec.evidence.url, connection) as store:
            number = await latest_number(store, lambda n: report_path(run, n))
    except HeavyliftError as error:
        raise HTTPException(502, str(error)) from error
    if number == 0:
        raise HTTPException(404, "this run has no report yet: the task build_report writes it")
    return RedirectResponse(evidence_url(dag_id, report_path(run, number)), headers=HEADERS)


def _spec_of(dag_id: str) -> MigrationSpec:
    migration = dag_id.rpartition(".")[0]
    for loaded in load_specs(migrations_dir()).valid:
        if loaded.spec.migration == migration:
            return loaded.spec
    raise HTTPException(404, "no usable migration spec belongs to this DAG")


def _check_owner(spec: MigrationSpec, path: str) -> None:
    """Keep a reader of one migration's DAG out of the evidence of the others."""
    try:
        check_path(path)
    except PermanentError as error:
        raise HTTPException(404, "no such evidence") from error
    if not path.startswith(f"{spec.migration}/"):
        raise HTTPException(404, "no such evidence")


async def _send(store: EvidenceStore, path: str) -> Response:
    # Through a file, because manifests may be larger than what a web server should hold.
    folder = tempfile.TemporaryDirectory(prefix="heavylift-evidence-")
    local = Path(folder.name) / "evidence"
    try:
        await store.fetch(path, local)
    except BaseException:
        folder.cleanup()
        raise
    name = PurePosixPath(path).name
    shown = _SHOWN.get(PurePosixPath(path).suffix)
    return FileResponse(
        local,
        media_type=shown or "application/octet-stream",
        filename=name,
        content_disposition_type="inline" if shown else "attachment",
        headers=HEADERS,
        background=BackgroundTask(folder.cleanup),
    )
