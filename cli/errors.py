"""The error that ends a command."""


class CommandError(Exception):
    """Something that the user can fix. It is printed as one line, and the command exits with 2."""
