"""Models: may they run on the target, and do they behave there as on the source."""
