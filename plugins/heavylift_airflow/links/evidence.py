"""The link from a task to its evidence, served by the plugin behind Airflow's own login."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

URL_PREFIX = "/heavylift"


@attrs.define()
class EvidenceLink(BaseOperatorLink):
    """Opens the file that the task wrote to the evidence store."""

    name = "Evidence"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the link, empty while the task has written nothing."""
        path = getattr(operator, "evidence_path", None)
        return evidence_url(ti_key.dag_id, path) if path else ""


def evidence_url(dag_id: str, path: str) -> str:
    """Return the address in the Airflow UI under which the evidence at ``path`` is shown."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}{URL_PREFIX}/evidence/{quote(dag_id, safe='')}/{quote(path)}"
