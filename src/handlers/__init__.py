"""One file per Lambda: parse the event, call one use case with its real dependencies, return the result."""
