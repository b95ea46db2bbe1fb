"""The tests of Heavylift, one folder a layer."""
