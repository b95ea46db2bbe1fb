"""Heavylift's domain library: moves AI workloads between clouds, with evidence.

It never imports Airflow; the Airflow integration lives in ``heavylift_airflow``.
"""

from __future__ import annotations

__version__ = "0.1.0"
