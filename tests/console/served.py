"""The console of a local stack, as its server serves it, with what tests want to know and to change."""

from typing import Any

from werkzeug.wrappers import Request, Response

from cli.console.responses import json_response
from cli.console.server import ConsoleServer
from cli.console.stack import local_console_stack
from local.stack import LocalStack

HEALTH: dict[str, Any] = {
    "dead_letters": [
        {"queue": "DeadLetterQueue", "messages": 2},
        {"queue": "CallbackDeadLetterQueue", "messages": 0},
    ],
    "alarms": [
        {
            "name": "DeadLetterAlarm",
            "state": "ALARM",
            "reason": "Threshold crossed: 1 datapoint was greater than 0.",
            "since": "2026-11-26T20:00:00Z",
        },
        {"name": "FailedRunsAlarm", "state": "OK", "reason": "", "since": "2026-11-25T20:00:00Z"},
    ],
    "quotas": {
        "runs": {"used": 12, "limit": 100},
        "tokens": {"used": 81_200, "limit": None},
        "usd": {"used": 4.2, "limit": 5},
        "concurrent": {"used": 1, "limit": 10},
    },
    "stopped": ["the runs of caller arn:aws:iam::123456789012:user/night-job"],
    "unknown": [],
}
"""A stack with something of everything. A local one has no alarms."""


class ServedConsole(ConsoleServer):
    """The server of the console. `requests` are those to the API, without `/api/`. `health` is what is shown."""

    def __init__(self, stack: LocalStack) -> None:
        self.health = HEALTH
        self.requests: list[str] = []
        super().__init__(local_console_stack(stack.endpoints), port=0)

    def _forward(self, request: Request) -> Response:
        target: str = request.environ["REQUEST_URI"]
        self.requests.append(target.removeprefix("/api/"))
        return super()._forward(request)

    def _respond_itself(self, request: Request, path: str) -> Response:
        return json_response(self.health) if path == "health" else super()._respond_itself(request, path)
