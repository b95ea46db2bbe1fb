"""One Airflow DAG ``<migration>.revalidate`` for each spec with models: proves them alike on both sides.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.revalidate import revalidate_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.REVALIDATE):
    dag = revalidate_dag(loaded)
    if dag is not None:
        globals()[dag.dag_id] = dag
