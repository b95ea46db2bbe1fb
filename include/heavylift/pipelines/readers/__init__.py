"""One module for each kind of definition that is read."""
