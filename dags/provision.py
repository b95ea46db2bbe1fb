"""Airflow DAGs of the target: ``<migration>.provision``, and ``<migration>.drift`` of its infrastructure.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.drift import DRIFT, drift_dag
from heavylift_airflow.phases.provision import provision_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.PROVISION, DRIFT):
    for dag in (provision_dag(loaded), drift_dag(loaded)):
        if dag is not None:
            globals()[dag.dag_id] = dag
