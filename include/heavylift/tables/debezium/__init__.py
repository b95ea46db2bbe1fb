"""Databases whose changes Debezium reads: its events are taken from topics, and applied to PostgreSQL."""
