"""PostgreSQL on either side: snapshot, change capture, apply, and what the server must allow."""
