"""AWS: which types are read, by which calls, and which of their fields point to other components."""
