"""Changes to moto that the local stack needs."""
