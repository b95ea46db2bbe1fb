"""Today's prices by the platforms' own price lists, for the tables that plans stand on. Only reads."""
