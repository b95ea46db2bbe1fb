"""Dated tables of facts (prices, limits, devices, services, accelerators) and the arithmetic over them."""
