"""Secrets Manager."""

import re

from upcall.domain.errors import InvalidSecret

MAX_AGE_SECONDS = 300
"""A rotated secret is used after five minutes at most."""

_WRAPPINGS = re.compile(r"""\A[\s\ufeff]*(?P<quote>["']?)(?P<secret>.*?)(?P=quote)\s*\Z""", re.DOTALL)


def get_secret(name: str) -> str:
    """The secret of that name, a plain string. Loads boto3, which is why the import waits until here.

    Files and consoles leave line ends, a byte order mark or quotes around secrets: these are removed. Raises
    InvalidSecret if nothing else is left.
    """
    from aws_lambda_powertools.utilities import parameters

    return clean_secret(name, str(parameters.get_secret(name, max_age=MAX_AGE_SECONDS)))


def clean_secret(name: str, value: str) -> str:
    """The secret without what surrounds it.

    Raises InvalidSecret, which names the secret, not its value, for one that is empty or JSON: the console
    makes JSON of keys and values.
    """
    found = _WRAPPINGS.match(value)
    secret = found["secret"].strip() if found else ""
    if not secret:
        raise InvalidSecret(f"the secret {name} is empty")
    if secret.startswith("{"):
        raise InvalidSecret(f"the secret {name} is JSON; it must be the plain string")
    return secret
