"""A webhook for the tool `notify`, whose effect is `once`: what arrives there shows how often it ran."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET_NAME
from local.stack import LocalStack
from support.canned_server import CannedServer, canned_server
from support.function_changes import function_changes


@dataclass(frozen=True)
class Notifications:
    """The messages that `notify` has sent."""

    server: CannedServer

    def of_run(self, run_id: str) -> list[str]:
        """The messages of a run, in the order in which they arrived."""
        sent = [request.json["data"] for request in self.server.requests]
        return [data["message"] for data in sent if data["run_id"] == run_id]


@contextmanager
def received_notifications(local_stack: LocalStack) -> Iterator[Notifications]:
    """Let `notify` post to a webhook of the test."""
    with canned_server(Response(status=204)) as server:
        environment = {"WEBHOOK_URL": server.url, "WEBHOOK_SECRET_NAME": CALLBACK_SECRET_NAME}
        with function_changes(local_stack, "NotifyFunction", environment=environment):
            yield Notifications(server)
