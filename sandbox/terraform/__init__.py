"""Real Terraform without any cloud: schemas of providers, and one that keeps its objects as files."""
