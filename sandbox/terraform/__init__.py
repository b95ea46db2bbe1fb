"""Real Terraform without any cloud: schemas of the providers, and a provider that keeps its objects as files."""
