"""Tables: moves databases while they are written to, with proof, and back again."""
