"""Verification of tables: digests computed inside both databases, then the rows that differ, by key.

It shares nothing with the movers but names and sessions: what it says of them rests on the rows alone.
"""
