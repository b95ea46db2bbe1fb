"""Airflow DAGs for each spec with a section decommission: ``<migration>.decommission`` and ``.restore``.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.decommission import RESTORE, decommission_dag, restore_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.DECOMMISSION, RESTORE):
    for dag in (decommission_dag(loaded), restore_dag(loaded)):
        if dag is not None:
            globals()[dag.dag_id] = dag
