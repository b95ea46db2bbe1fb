"""Feature stores: definitions, offline history and online store move, and are proved equal."""
