"""What keeps a command from doing its work, said in one line."""


class Problem(Exception):
    """The user can mend this. The command prints it as one line and exits with 2."""
