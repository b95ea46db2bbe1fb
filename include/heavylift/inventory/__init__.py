"""The inventory: what a platform holds, what depends on what, and what was overlooked."""
