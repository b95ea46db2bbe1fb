"""One Airflow DAG ``<migration>.optimize`` for each spec that optimises something.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.optimize import optimize_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.OPTIMIZE):
    dag = optimize_dag(loaded)
    if dag is not None:
        globals()[dag.dag_id] = dag
