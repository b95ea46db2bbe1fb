"""Fences: keeping an application from writing to one side of a database, one epoch after the other."""
