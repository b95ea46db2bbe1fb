"""Moving objects on devices: plan, load, custody, reconcile; what is left goes online."""
