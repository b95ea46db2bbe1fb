"""One Airflow DAG ``<migration>.appliance`` for each spec with datasets that travel on devices.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.appliance import appliance_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.APPLIANCE):
    dag = appliance_dag(loaded)
    if dag is not None:
        globals()[dag.dag_id] = dag
