"""A client for programs that start runs and batches, answer calls of their own tools, and decide about calls.

    from upcall.client import UpcallClient

    def stock(article: str) -> int:
        "How many pieces of an article are in stock."
        return {"lamp": 3}.get(article, 0)

    with UpcallClient("http://127.0.0.1:8781") as client:
        run = client.run("How many lamps do we have?", tools=[stock])
        print(run.status, run.message)

A deployed stack takes `auth=IamAuth(boto3.Session().get_credentials(), region)` or `auth=BearerAuth(token)`.
The client is synchronous. Importing it loads neither AWS nor OpenAI packages.
"""

from upcall.client.auth import BearerAuth, IamAuth
from upcall.client.client import RunObserver, UpcallClient
from upcall.client.errors import ApiError, ClientError, ConnectionLost
from upcall.client.functions import CallerFunctions, FunctionResult
from upcall.domain.answers import GivenOutput
from upcall.domain.batch_request import BatchRequest
from upcall.domain.batch_results import LineResult
from upcall.domain.batch_view import BatchView
from upcall.domain.errors import InvalidInput, ToolError
from upcall.domain.message_text import TextPiece
from upcall.domain.run_events import RunEvent
from upcall.domain.run_request import RunRequest
from upcall.domain.views import OpenCallView, RunSummary, RunView

__all__ = [
    "ApiError",
    "BatchRequest",
    "BatchView",
    "BearerAuth",
    "CallerFunctions",
    "ClientError",
    "ConnectionLost",
    "FunctionResult",
    "GivenOutput",
    "IamAuth",
    "InvalidInput",
    "LineResult",
    "OpenCallView",
    "RunEvent",
    "RunObserver",
    "RunRequest",
    "RunSummary",
    "RunView",
    "TextPiece",
    "ToolError",
    "UpcallClient",
]
