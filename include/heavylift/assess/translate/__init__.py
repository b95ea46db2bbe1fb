"""From an inventory's components to the input of a plan: a table of types, and one pure function."""
