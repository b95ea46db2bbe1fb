"""Streams: topics that are mirrored record by record, with the positions of their consumers."""
