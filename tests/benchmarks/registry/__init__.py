"""Lanes about registries: a tracking store moved whole, beside the tool that goes through the interface."""

US = "heavylift"
PEER = "mlflow-export-import"
