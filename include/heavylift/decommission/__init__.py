"""Giving the source up after a migration: planned, agreed to, reversible until it is deleted, certified."""
