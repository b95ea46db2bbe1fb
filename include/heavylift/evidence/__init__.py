"""Evidence: files that prove something, never overwritten, and the audit trail over them."""
