"""Alert rules and dashboards: read from one platform, written for another, and replayed on both."""
