"""In-memory implementations of what use cases talk to (`upcall.use_cases.interfaces`)."""
