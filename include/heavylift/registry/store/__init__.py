"""The store level: MLflow's own database, table by table, with every id and time as it is."""
