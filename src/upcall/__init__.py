"""The library that handlers and tools stand on: models, errors, store, run APIs, tool()."""
