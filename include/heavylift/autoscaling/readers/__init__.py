"""From a platform's settings to the neutral policy."""
