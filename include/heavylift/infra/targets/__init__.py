"""What each capability becomes on each target: tables, one small file an area."""
