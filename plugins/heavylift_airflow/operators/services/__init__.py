"""Operators that let a platform's own transfer service move a dataset."""
