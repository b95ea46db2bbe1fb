"""Hooks: Airflow connections as the library takes them."""
