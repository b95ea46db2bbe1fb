"""From the neutral policy to a platform's settings."""
