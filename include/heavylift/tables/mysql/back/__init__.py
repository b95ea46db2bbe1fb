"""From PostgreSQL back to the MySQL or MariaDB server that a database came from."""
