"""Training pipelines: read from one platform, written for another, run here."""
