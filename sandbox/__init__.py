"""Real local servers that stand for two clouds; the demo and the tests use the same ones."""
