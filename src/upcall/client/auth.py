"""How requests to a deployed stack are authenticated: with AWS credentials, or with a token.

botocore is loaded with the first signature.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import httpx

from upcall.client.errors import ClientError

if TYPE_CHECKING:
    from botocore.credentials import Credentials

SERVICE = "execute-api"


class IamAuth(httpx.Auth):
    """Signs each request with AWS credentials (Signature Version 4), for an API with IAM authorization.

    Method, URL, body, Host, date and session token are signed. Other headers are not, because proxies may
    change them. Credentials that expire are refreshed. `credentials` are those of botocore, such as
    `boto3.Session().get_credentials()`. Raises ClientError if there are none any more.
    """

    requires_request_body = True
    hint = "the credentials lack the permission execute-api:Invoke, or the API expects a token (--token)"
    """What to tell the user if the API rejects the request."""

    def __init__(self, credentials: "Credentials", region: str) -> None:
        self._credentials = credentials
        self._region = region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request. Called again for each retry."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        try:
            credentials = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise ClientError(f"AWS: {error}") from error
        signed = AWSRequest(method=request.method, url=str(request.url), data=request.content)
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


class BearerAuth(httpx.Auth):
    """Sends a token, for an API with a JWT authorizer. Raises ClientError for text that is no token."""

    hint = "the token was not accepted"
    """What to tell the user if the API rejects the request."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        if not self._token.isascii() or not self._token.isprintable():
            raise ClientError("the token contains characters that are not allowed in a token")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the Authorization header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request
