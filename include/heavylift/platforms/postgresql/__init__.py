"""Plumbing that everything shares which speaks to PostgreSQL: sessions, what errors mean, streamed COPY."""
