"""Registries of models that are not all MLflow's: one description, and adapters that read and write it."""
