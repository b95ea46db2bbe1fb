"""What a platform allows: its quotas, read with calls that change nothing."""
