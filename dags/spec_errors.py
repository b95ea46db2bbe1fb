"""Shows in Airflow, as one import error, every migration spec that makes no DAG, and why.

Specs that can be used are not concerned: their DAGs come from the other files here.
"""

from __future__ import annotations

from heavylift_airflow.phases.specs import refuse_broken_specs

refuse_broken_specs()
