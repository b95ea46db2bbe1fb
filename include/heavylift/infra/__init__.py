"""Infrastructure as code: from a plan's components to Terraform for the target, and running it."""
