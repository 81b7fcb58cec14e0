"""Secrets Manager."""

import re
from functools import cache
from typing import TYPE_CHECKING

from upcall.domain.errors import InvalidSecret

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

MAX_AGE_SECONDS = 300
"""A rotated secret is used after five minutes at most."""

_WRAPPINGS = re.compile(r"""\A[\s\ufeff]*(?P<quote>["']?)(?P<secret>.*?)(?P=quote)\s*\Z""", re.DOTALL)


def get_secret(name: str) -> str:
    """The secret of that name, a plain string.

    Files and consoles leave line ends, a byte order mark or quotes around secrets: these are removed. Raises
    InvalidSecret if nothing else is left.
    """
    return clean_secret(name, str(secrets_provider().get(name, max_age=MAX_AGE_SECONDS)))


@cache
def secrets_provider() -> "SecretsProvider":
    """Powertools' cache of secrets, with a client of boto3's default session.

    In a session of its own a client would read the same files again.
    """
    import boto3
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

    return SecretsProvider(boto3_client=boto3.client("secretsmanager"))


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
