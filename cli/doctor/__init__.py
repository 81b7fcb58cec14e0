"""The checks of `upcall doctor`."""
