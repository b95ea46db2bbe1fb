"""MySQL and MariaDB as the target of their own kind: everything that only such a target needs."""
