"""Operators: each calls one function of the library and tells what came of it."""
