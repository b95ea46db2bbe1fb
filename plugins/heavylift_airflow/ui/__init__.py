"""Pages that the plugin adds to the Airflow UI."""
