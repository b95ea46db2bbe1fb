"""The DAGs of a migration, one for each phase, built from its spec."""
