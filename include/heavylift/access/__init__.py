"""Who may do what: read from one platform, written for another, never widened."""
