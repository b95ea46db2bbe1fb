"""The board in the Airflow UI: where every migration stands, for those who may read its DAGs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from airflow.sdk.configuration import conf
from fastapi import FastAPI, Header, HTTPException, Query, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic_core import to_jsonable_python

from heavylift.board.detail import Detail, DetailReader
from heavylift.board.index import STORE_SECONDS, BoardIndex
from heavylift.board.keeper import Keeper
from heavylift.board.lines import MigrationLine
from heavylift.board.page import STATIC, Links, Reader, render_detail, render_list, render_told, static_file
from heavylift.board.picking import Query as Asked
from heavylift.board.picking import pick
from heavylift.errors import HeavyliftError
from heavylift.evidence.store import open_evidence
from heavylift.spec import MigrationSpec, Phase, migrations_dir
from heavylift_airflow.hooks.object_store import look_up

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_FIRST_WAIT_SECONDS = 0.15
_READ_MARK = "@@READ@@"
# Their forms ask for more than a dry run, and a step too early costs most: they are started in Airflow.
_NOT_STARTED_HERE = frozenset({Phase.CUTOVER.value, Phase.ROLLBACK.value})

Method = Literal["GET", "POST"]
Name = Annotated[str, PathParameter(max_length=250)]
Text = Annotated[str, Query(max_length=200)]


class Board:
    """The routes, and what they share: the index, its keeper, and migrations that were read in full."""

    def __init__(self, index: BoardIndex | None = None) -> None:
        self.index = index or BoardIndex(migrations_dir, look_up)
        self.keeper = Keeper(self.index)
        self.details = DetailReader()

    def add_to(self, app: FastAPI) -> None:
        """Add the board's routes; each demands a login."""
        app.get("/board")(self.show_list)
        app.get("/board/m/{migration}")(self.show_detail)
        app.get("/board/api/migrations")(self.list_json)
        app.get("/board/api/migrations/{migration}")(self.detail_json)
        app.get("/board/static/{name}")(self.static)

    async def show_list(
        self,
        user: GetUserDep,
        q: Text = "",
        state: Text = "",
        sort: Text = "urgency",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        """Show the migrations that the user may read, a page of them."""
        snapshot, lines = await self._lines(user)
        asked = Asked(q, state, sort, page)
        shown = pick(lines, asked)
        self.keeper.want(line.name for line in shown.lines)
        html = render_list(snapshot, shown, asked, _links())
        read = f"As of {snapshot.read_at:%H:%M:%S} UTC" if snapshot.read_at else "Reading the evidence…"
        return _page(html, read, if_none_match)

    async def show_detail(
        self, user: GetUserDep, migration: Name, if_none_match: Annotated[str, Header()] = ""
    ) -> Response:
        """Show one migration."""
        spec, reader = await self._allowed(user, migration)
        try:
            detail = await self._detail(spec, reader)
        except (HeavyliftError, TimeoutError) as error:
            words = _unreadable(spec, error)
            return _page(render_told(migration, words, _links()), "", "", status=503)
        return _page(render_detail(detail, spec, reader, _links()), "Live", if_none_match)

    async def list_json(
        self,
        user: GetUserDep,
        q: Text = "",
        state: Text = "",
        sort: Text = "urgency",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> Response:
        """Return the page of the list as JSON."""
        snapshot, lines = await self._lines(user)
        shown = pick(lines, Asked(q, state, sort, page))
        self.keeper.want(line.name for line in shown.lines)
        document = {
            "migrations": [{**to_jsonable_python(line), "standing": line.standing} for line in shown.lines],
            "total": shown.total, "page": shown.page, "pages": shown.pages, "counts": shown.counts,
            "unread": snapshot.unread, "unreachable": snapshot.unreachable, "read_at": snapshot.read_at,
        }  # fmt: skip
        return JSONResponse(to_jsonable_python(document), headers=HEADERS)

    async def detail_json(self, user: GetUserDep, migration: Name) -> Response:
        """Return one migration as JSON."""
        spec, reader = await self._allowed(user, migration)
        try:
            detail = await self._detail(spec, reader)
        except (HeavyliftError, TimeoutError) as error:
            raise HTTPException(503, _unreadable(spec, error)) from error
        return JSONResponse(to_jsonable_python(detail), headers=HEADERS)

    async def static(self, user: GetUserDep, name: str) -> Response:
        """Return a style, script or library of the pages."""
        if name not in STATIC:
            raise HTTPException(404, "no such file")
        headers = {**HEADERS, "Cache-Control": "private, max-age=86400"}
        return Response(static_file(name), media_type=STATIC[name], headers=headers)

    async def _lines(self, user: Any) -> tuple[Any, list[MigrationLine]]:
        snapshot = self.index.snapshot()
        if not snapshot.has_specs:
            # A thousand specs take seconds, once: the page comes before that, and tells so.
            self.keeper.want(())
            await asyncio.to_thread(self.index.wait_for_specs, _FIRST_WAIT_SECONDS)
            snapshot = self.index.snapshot()
        ids = [phase.dag_id for line in snapshot.lines for phase in line.phases]
        readable = await asyncio.to_thread(_allowed, user, ids, "GET")
        lines = [line.only(readable) for line in snapshot.lines]
        return snapshot, [line for line in lines if line.phases]

    async def _allowed(self, user: Any, migration: str) -> tuple[MigrationSpec, Reader]:
        """Return the migration's spec and what the user may do with its DAGs; 404 where it is nothing."""
        spec = await asyncio.to_thread(self.index.spec, migration)
        ids = [f"{migration}.{phase.value}" for phase in Phase]
        readable = await asyncio.to_thread(_allowed, user, ids, "GET") if spec else set[str]()
        if spec is None or not readable:
            raise HTTPException(404, "no such migration, or none that you may read")
        wanted = [each for each in sorted(readable) if each.rpartition(".")[2] not in _NOT_STARTED_HERE]
        startable = await asyncio.to_thread(_allowed, user, wanted, "POST")
        return spec, Reader(readable, startable)

    async def _detail(self, spec: MigrationSpec, reader: Reader) -> Detail:
        phases = {dag_id.rpartition(".")[2] for dag_id in reader.readable}
        async with asyncio.timeout(STORE_SECONDS):
            connection = await asyncio.to_thread(look_up, spec.evidence.connection)
            async with open_evidence(spec.evidence.url, connection, create=False) as store:
                return await self.details.read(store, spec, phases)


def _allowed(user: Any, dag_ids: Iterable[str], method: Method) -> set[str]:
    """Return those DAGs whose runs the user may read or start, by Airflow's own rules."""
    ids = list(dag_ids)
    manager = get_auth_manager()
    teams = DagModel.get_dag_id_to_team_name_mapping(ids) if conf.getboolean("core", "multi_team") else {}

    def allows(dag_id: str) -> bool:
        details = DagDetails(id=dag_id, team_name=teams.get(dag_id))
        return manager.is_authorized_dag(
            method=method, access_entity=DagAccessEntity.RUN, details=details, user=user
        )

    return {dag_id for dag_id in ids if allows(dag_id)}


def _links() -> Links:
    base = str(conf.get("api", "base_url", fallback="") or "")
    return Links(urlsplit(base).path.rstrip("/"))


def _unreadable(spec: MigrationSpec, error: BaseException) -> str:
    if isinstance(error, HeavyliftError):
        return str(error)
    return (
        f"The evidence store of connection {spec.evidence.connection} gave no answer within"
        f" {STORE_SECONDS:g} s. Nothing was changed; try again, or look at the connection."
    )


def _page(html: str, read: str, known: str, status: int = 200) -> Response:
    # The digest is of the page without the time of reading: a page with nothing new is not sent again.
    etag = f'"{hashlib.sha256(html.encode()).hexdigest()[:24]}"'
    headers = {**HEADERS, "ETag": etag}
    if known == etag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(html.replace(_READ_MARK, read), status, headers)
