"""MySQL and MariaDB as a source: snapshot, row events of the binary log, and one side of a comparison."""
