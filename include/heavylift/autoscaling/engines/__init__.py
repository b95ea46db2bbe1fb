"""What each platform's autoscaler does, step by step, as its documentation says."""
