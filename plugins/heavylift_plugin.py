"""What Heavylift adds to the Airflow UI: the board, evidence and reports, behind Airflow's own login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

from heavylift_airflow.links.evidence import URL_PREFIX
from heavylift_airflow.ui.lazy import LazyApplication

if TYPE_CHECKING:
    from fastapi import FastAPI


def _build() -> FastAPI:
    from heavylift_airflow.ui.evidence_app import build_app

    return build_app()


class HeavyliftPlugin(AirflowPlugin):
    """The plugin; the only thing that Airflow's plugin loader runs."""

    name = "heavylift"
    fastapi_apps = [  # noqa: RUF012 - Airflow's own form
        {"app": LazyApplication(_build), "url_prefix": URL_PREFIX, "name": "Heavylift"}
    ]
    external_views = [  # noqa: RUF012 - Airflow's own form
        {
            "name": "Migrations",
            "href": f"{URL_PREFIX}/board",
            "destination": "nav",
            "url_route": "heavylift-board",
        },
        {
            "name": "Report",
            "href": f"{URL_PREFIX}/report/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "heavylift-report",
        },
    ]
