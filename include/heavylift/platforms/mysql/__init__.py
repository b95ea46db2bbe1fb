"""MySQL and MariaDB: connections and what their errors mean."""
