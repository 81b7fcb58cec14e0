"""Downloads that a model may ask for: checked addresses, one deadline, a bound on every count of bytes."""
