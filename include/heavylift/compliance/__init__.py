"""Compliance: personal data found in datasets and tables, and rules over the whole path of the data."""
