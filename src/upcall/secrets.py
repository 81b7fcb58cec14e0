"""The one owner of Secrets Manager."""

MAX_AGE_SECONDS = 300
"""A secret that is rotated is taken up after five minutes at most."""


def secret(name: str) -> str:
    """The secret of that name, a plain string. Loads boto3, which is why the import waits until here."""
    from aws_lambda_powertools.utilities import parameters

    return str(parameters.get_secret(name, max_age=MAX_AGE_SECONDS))
