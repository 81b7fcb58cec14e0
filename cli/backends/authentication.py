"""How the command says who it is: by a signature with AWS credentials, or by a token."""

from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from cli.errors import Problem

SERVICE = "execute-api"


class Signed(httpx.Auth):
    """Signs each request with AWS credentials (Signature Version 4), as IAM authorisation wants it.

    Method, address, query, body, Host, date and session token are signed; no other headers, for whoever
    stands between may change them. Credentials that expire are renewed meanwhile. Raises Problem.
    """

    requires_request_body = True
    refused = "the credentials may not call it (execute-api:Invoke), or it wants a token (--token)"

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request, anew for each time that it is sent."""
        try:
            credentials = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Problem(f"AWS: {error}") from error
        signed = AWSRequest(method=request.method, url=str(request.url), data=request.content)
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


class Bearer(httpx.Auth):
    """Shows a token, as a JWT authoriser wants it."""

    refused = "the token is not accepted"

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        if not self._token.isascii() or not self._token.isprintable():
            raise Problem("the token holds characters that no token has")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token on a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request
