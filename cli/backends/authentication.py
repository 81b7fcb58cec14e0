"""How requests to a deployed stack are authenticated: with AWS credentials, or with a token."""

from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from cli.errors import CommandError

SERVICE = "execute-api"


class IamAuth(httpx.Auth):
    """Signs each request with AWS credentials (Signature Version 4), for an API with IAM authorization.

    Method, URL, body, Host, date and session token are signed. Other headers are not, because proxies may
    change them. Credentials that expire are refreshed. Raises CommandError.
    """

    requires_request_body = True
    hint = "the credentials lack the permission execute-api:Invoke, or the API expects a token (--token)"
    """What to tell the user if the API rejects the request."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request. Called again for each retry."""
        try:
            credentials = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise CommandError(f"AWS: {error}") from error
        signed = AWSRequest(method=request.method, url=str(request.url), data=request.content)
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


class BearerAuth(httpx.Auth):
    """Sends a token, for an API with a JWT authorizer."""

    hint = "the token was not accepted"
    """What to tell the user if the API rejects the request."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        if not self._token.isascii() or not self._token.isprintable():
            raise CommandError("the token contains characters that are not allowed in a token")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the Authorization header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request
