"""The HTTP side of a handler: typed parameters in, JSON out, every error a problem document (RFC 9457)."""

import copy
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.caller import calling
from upcall.errors import CannotRetry, FieldError, InvalidInput, KeyReused, NotFound, RunEnded
from upcall.field_errors import WHOLE
from upcall.log import about, logger
from upcall.models import Model
from upcall.run import is_run_id

DESCRIPTION: Final = "Runs OpenAI function calls on AWS without a server."
PROBLEM_JSON: Final = "application/problem+json"

MAX_BODY_BYTES: Final = 1_000_000
"""Of a request. A prompt has 100 KB at most; the rest is room for how JSON escapes it."""

MAX_FIELD_CHARACTERS: Final = 200

_RENAMED: Final[Mapping[int, str]] = {413: "Content Too Large", 422: "Unprocessable Content"}
"""By RFC 9110, which Python's names follow from 3.13 on: the description is one for all versions."""

RunId = Annotated[str, Path(description="The run's id.", max_length=80)]

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class FieldProblem(Model):
    """A field of the request, and why it cannot be taken."""

    field: str
    reason: str


class Problem(Model):
    """What went wrong, as RFC 9457 has it; `errors` names fields where the request is to be mended."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


def problems(*statuses: HTTPStatus) -> dict[int, Any]:
    """The description of the errors that a route may answer with, beside those that any may."""
    always = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
    return {
        status.value: {"description": _title(status), "content": {PROBLEM_JSON: {"model": Problem}}}
        for status in sorted({*always, *statuses})
    }


def answers(status: HTTPStatus, model: type[Model], description: str, *errors: HTTPStatus) -> dict[int, Any]:
    """The description of a route's answers: the good one, and the errors beside those that any may have."""
    good = {"description": description, "content": {"application/json": {"model": model}}}
    return {status.value: good, **problems(*errors)}


def http_api() -> APIGatewayHttpResolver:
    """A resolver for the routes of one function. What it raises becomes a problem with its status."""
    app = APIGatewayHttpResolver(enable_validation=True)
    app.exception_handler(RequestValidationError)(_not_valid)
    app.exception_handler(InvalidInput)(_invalid)
    app.exception_handler(NotFound)(_not_found)
    app.exception_handler(RunEnded)(_conflict)
    app.exception_handler(CannotRetry)(_conflict)
    app.exception_handler(KeyReused)(_unprocessable)
    app.exception_handler(UnicodeDecodeError)(_not_text)
    app.exception_handler(RecursionError)(_too_deep)
    app.exception_handler(Exception)(_unexpected)
    app.not_found(_not_found)
    return app


def handler(app: APIGatewayHttpResolver) -> Handler:
    """The Lambda handler of a resolver, for requests of an HTTP API (payload version 2.0).

    A body is JSON whatever its sender calls it: `curl -d` calls everything a form.
    """

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if len(event.get("body") or "") > MAX_BODY_BYTES:
            words = f"the body is larger than {MAX_BODY_BYTES:,} bytes"
            refusal = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
            return {"statusCode": refusal.status_code, "body": refusal.body, "headers": refusal.headers}
        headers = {**event.get("headers", {}), "content-type": "application/json"}
        with calling(event), about(**_ids(event)):
            return _for_one_request(app, {**event, "headers": headers}, context)

    return lambda_handler


def _ids(event: Mapping[str, Any]) -> dict[str, str]:
    """What tells a request from others; a run's id where the path has one, and not just anything."""
    ids = {"request_id": str(event.get("requestContext", {}).get("requestId", ""))}
    run_id = (event.get("pathParameters") or {}).get("run_id", "")
    return ids | ({"run_id": run_id} if is_run_id(run_id) else {})


def _for_one_request(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Resolve a request with a resolver that knows no other.

    Powertools keeps the request in attributes, some of them of a class, because a function on AWS has
    one at a time. Where many functions share a process, one would read the body of another.
    """
    alone = copy.copy(app)
    alone.context = {}
    alone.current_event = APIGatewayProxyEventV2(event, _json)
    alone.lambda_context = context
    return alone.resolve(event, context)


def openapi(*apps: APIGatewayHttpResolver) -> Response[str]:
    """The OpenAPI 3.1 description of all routes of these resolvers."""
    merge = OpenAPIMerge(title="Upcall", version="0.1.0", description=DESCRIPTION)
    for app in apps:
        merge.add_schema(json.loads(app.get_openapi_json_schema()))
    found = json.loads(merge.get_openapi_json_schema())
    for path in found["paths"].values():
        for operation in path.values():
            refused = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in refused:  # Powertools' own, for which our answer is a 400
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        found["components"]["schemas"].pop(name, None)
    return Response(HTTPStatus.OK, "application/json", json.dumps(found, indent=2, ensure_ascii=False))


def answer(status: HTTPStatus, content: Model, **headers: str) -> Response[str]:
    """A JSON answer; what a model does not have is left out."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=content.model_dump_json(exclude_none=True),
        headers=headers,
    )


def problem(status: HTTPStatus, detail: str, *errors: FieldError) -> Response[str]:
    """A problem document."""
    found = tuple(FieldProblem(field=each.field, reason=each.reason) for each in errors)
    document = Problem(title=_title(status), status=status.value, detail=detail, errors=found)
    return Response(
        status_code=status,
        content_type=PROBLEM_JSON,
        body=json.dumps(document.model_dump(exclude=None if found else {"errors"})),
        headers={"Content-Type": PROBLEM_JSON},
    )


def _title(status: HTTPStatus) -> str:
    return _RENAMED.get(status, status.phrase)


def _json(text: str) -> Any:
    """A body. Powertools knows no other ValueError than that of bad syntax; there is one of long integers."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise InvalidInput(FieldError(WHOLE, "has a number of too many digits")) from None


def _not_valid(error: RequestValidationError) -> Response[str]:
    return _invalid(InvalidInput(*(_field_error(finding) for finding in error.errors())))


def _field_error(finding: Mapping[str, Any]) -> FieldError:
    """A finding of Powertools', which begins with the part of the request that it is about."""
    _, *way = finding["loc"]
    if finding["type"] == "json_invalid":
        return FieldError(WHOLE, f"Invalid JSON: {finding['ctx']['error']}")
    field = ".".join(str(part) for part in way) or WHOLE
    reason = _REASONS.get(finding["type"], finding["msg"].removeprefix("Value error, "))
    return FieldError(field[:MAX_FIELD_CHARACTERS], reason)


_REASONS: Final = {"model_attributes_type": "Input should be an object"}


def _invalid(error: InvalidInput) -> Response[str]:
    return problem(HTTPStatus.BAD_REQUEST, str(error), *error.errors)


def _not_text(_: UnicodeDecodeError) -> Response[str]:
    return _invalid(InvalidInput(FieldError(WHOLE, "is not UTF-8")))


def _too_deep(_: RecursionError) -> Response[str]:
    return _invalid(InvalidInput(FieldError(WHOLE, "is nested too deeply")))


def _not_found(error: Exception) -> Response[str]:
    return problem(HTTPStatus.NOT_FOUND, str(error))


def _conflict(error: RunEnded | CannotRetry) -> Response[str]:
    return problem(HTTPStatus.CONFLICT, str(error))


def _unprocessable(error: KeyReused) -> Response[str]:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _unexpected(_: Exception) -> Response[str]:
    logger.exception("unexpected")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the fault is ours; it has been logged")
