"""The errors of the client.

ClientError         the request has failed, or the server is not an Upcall API
├── ConnectionLost  nothing has responded, also after all retries: repeat the request later
└── ApiError        the API has responded with an error: its HTTP status, and the reason
"""

from upcall.domain.errors import UpcallError


class ClientError(UpcallError):
    """Base of the client's errors. The message is one line for people."""


class ConnectionLost(ClientError):
    """The API cannot be reached, or did not respond in time. The request may have arrived."""


class ApiError(ClientError):
    """The API's error response. `status` is the HTTP status, `detail` the reason that the API gives."""

    def __init__(self, status: int, detail: str, message: str = "") -> None:
        super().__init__(message or detail)
        self.status = status
        self.detail = detail
