"""Experiment histories and model registries: moved whole, brought up to date, proved equal."""
