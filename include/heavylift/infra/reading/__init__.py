"""What the three clouds say of a component, in neutral words: tables of paths, one a platform."""
