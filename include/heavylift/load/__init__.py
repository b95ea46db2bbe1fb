"""Load on a live endpoint, measured in an open loop: what baselines and trials have in common."""
