"""Moving the objects of a plan through a platform's own transfer service."""
