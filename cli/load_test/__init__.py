"""The load test of `upcall bench load`: many runs at once on a local stack with injected faults."""
