"""Clients of a Kafka cluster, for every capability that reads or writes topics: settings, errors, ends."""
