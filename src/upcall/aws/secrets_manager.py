"""Secrets Manager."""

MAX_AGE_SECONDS = 300
"""A rotated secret is used after five minutes at most."""


def get_secret(name: str) -> str:
    """The secret of that name, a plain string. Loads boto3, which is why the import waits until here."""
    from aws_lambda_powertools.utilities import parameters

    return str(parameters.get_secret(name, max_age=MAX_AGE_SECONDS))
