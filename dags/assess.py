"""One Airflow DAG ``<migration>.assess`` for each spec that says what to look at: inventory, graph, plan.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.assess import assess_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.ASSESS):
    dag = assess_dag(loaded)
    if dag is not None:
        globals()[dag.dag_id] = dag
