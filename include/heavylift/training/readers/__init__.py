"""From a platform's definition of a training job to the neutral form."""
