"""POSIX file systems as an object store."""
