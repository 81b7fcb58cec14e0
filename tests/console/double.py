"""A stand-in for the server of the console: its files and headers, the API of a local stack, and the rest by hand."""

import json
import mimetypes
import time
from pathlib import Path
from typing import Any

import httpx
from console.event_recorder import EventRecorder
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NoSuchFile
from werkzeug.security import safe_join
from werkzeug.wrappers import Request, Response

import tools
from local import dynamodb
from local.config import ROOT
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.errors import NotFound
from upcall.tool import ToolEvent

TOKEN = "token-of-a-test"  # noqa: S105  # it protects nothing
FILES = ROOT / "console"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HEALTH = {
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
}


class ConsoleDouble:
    """A WSGI application. `requests` are the paths, with their queries, that were asked for under /api."""

    def __init__(self, stack: LocalStack, repository: DynamoDBRunRepository) -> None:
        self._stack, self._repository = stack, repository
        self._recorder = EventRecorder(repository)
        self._api = httpx.Client(base_url=stack.endpoints.api, timeout=60)
        self.health: dict[str, Any] = HEALTH
        self.requests: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        try:
            response = self._respond(request)
        except HTTPException as error:
            response = Response("", error.code)
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        first, _, rest = request.path.strip("/").partition("/")
        if first not in ("api", "console"):
            return _file(request.path)
        if request.headers.get("X-Console-Token") != TOKEN:
            return _json({"title": "Forbidden", "status": 403}, 403)
        parts = rest.split("/")
        if first == "console":
            return self._console(request, parts)
        self.requests.append(f"{rest}?{request.query_string.decode()}")
        if parts[0] == "runs" and parts[-1] == "events":
            return self._events(parts[1], request)
        if parts == ["batches"] and request.method == "GET":
            return self._batches()
        return self._pass_on(request, f"/{rest}")

    def _pass_on(self, request: Request, path: str) -> Response:
        kept = {
            name: request.headers[name]
            for name in ("Idempotency-Key", "Content-Type")
            if name in request.headers
        }
        answer = self._api.request(
            request.method, path, params=request.args.to_dict(), content=request.get_data(), headers=kept
        )
        response = Response(
            answer.content, answer.status_code, content_type=answer.headers.get("Content-Type")
        )
        if "Retry-After" in answer.headers:
            response.headers["Retry-After"] = answer.headers["Retry-After"]
        return response

    def _events(self, run_id: str, request: Request) -> Response:
        after, limit = int(request.args["after"]), int(request.args["limit"])
        deadline = time.monotonic() + float(request.args.get("wait", 0))
        while True:
            try:
                events, ended = self._recorder.events(run_id)
            except NotFound as error:
                return _json({"title": "Not Found", "status": 404, "detail": str(error)}, 404)
            page = events[after : after + limit]
            if page or ended or time.monotonic() > deadline:
                return _json(
                    {
                        "events": page,
                        "next": after + len(page),
                        "ended": ended and len(events) == after + len(page),
                    }
                )
            time.sleep(0.05)

    def _batches(self) -> Response:
        items = dynamodb.read_items(self._stack.deployed.table)
        ids = [item["batch_id"]["S"] for item in items if item["sk"]["S"] == "BATCH"]
        batches = [self._api.get(f"/batches/{batch_id}").json() for batch_id in ids]
        batches.sort(key=lambda batch: batch["created_at"], reverse=True)
        return _json({"batches": batches, "next_cursor": None})

    def _console(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case ["session"]:
                address = self._stack.endpoints.api
                return _json({"stack": "local", "region": None, "address": address})
            case ["health"]:
                return _json(self.health)
            case ["tools", name, "call"]:
                return self._call_tool(name, json.loads(request.get_data())["arguments"])
        raise NoSuchFile

    def _call_tool(self, name: str, arguments: dict[str, Any]) -> Response:
        tool = tools.find(name)
        if tool.effect == "once":
            return _json(
                {
                    "title": "Conflict",
                    "status": 409,
                    "detail": f"{name} has an effect, so it cannot be tried here",
                },
                409,
            )
        event = ToolEvent(
            run_id="run_by_hand",
            round=1,
            position=1,
            call_id="call_1",
            arguments=json.dumps(arguments),
            max_output_bytes=200_000,
        )
        logical_id = f"{name.title().replace('_', '')}Function"
        result = self._stack.runner.invoke(
            self._stack.deployed.functions[logical_id].name, event.model_dump_json()
        )
        output = json.loads(result.payload)
        return _json({name: output[name] for name in ("outcome", "output", "duration_ms")})


def _file(path: str) -> Response:
    found = safe_join(str(FILES), path.lstrip("/") or "index.html")
    if found is None:
        raise NoSuchFile
    try:
        content = Path(found).read_bytes()
    except OSError:
        raise NoSuchFile from None
    return Response(content, content_type=mimetypes.guess_type(found)[0])


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")
