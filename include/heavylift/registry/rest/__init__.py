"""The public REST interface of a tracking server: what a verification reads, and nothing of the mover's."""
