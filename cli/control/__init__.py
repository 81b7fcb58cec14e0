"""What an operator sets for a stack: quotas of callers, and the stop of runs."""
