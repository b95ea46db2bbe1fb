"""What is wrong with a migration, and what to do about it, most urgent first: read from evidence only."""
