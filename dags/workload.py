"""An Airflow DAG ``<migration>.workload_tests`` for each spec with a section workload_tests.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift_airflow.phases.specs import specs_to_build
from heavylift_airflow.phases.workload import WORKLOAD_TESTS, workload_dag

for loaded in specs_to_build(WORKLOAD_TESTS):
    dag = workload_dag(loaded)
    if dag is not None:
        globals()[dag.dag_id] = dag
