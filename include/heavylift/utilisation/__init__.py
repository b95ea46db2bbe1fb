"""What the source's machines use of what they have, as its own monitoring tells. Only reads."""
