"""From the neutral form of a training job to a platform's definition."""
