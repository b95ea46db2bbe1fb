"""Optimisation: settings by few real trials, sizes by what is used, purchases by what is needed when."""
