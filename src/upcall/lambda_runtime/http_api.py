"""The HTTP side of a handler: typed parameters in, JSON out, every error a problem document (RFC 9457)."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from math import ceil
from types import MappingProxyType
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.domain.errors import (
    BatchAlreadyEnded,
    CallConflict,
    CallerNotIdentified,
    DecisionNotAllowed,
    FieldError,
    IdempotencyKeyConflict,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RunAlreadyEnded,
    RunNotRetryable,
    Stopped,
    TransientError,
)
from upcall.domain.model import Model
from upcall.domain.run import is_run_id
from upcall.domain.validation import WHOLE_BODY
from upcall.lambda_runtime.caller_identity import MAX_NAME_CHARACTERS, caller_of
from upcall.lambda_runtime.clock import SystemClock
from upcall.observability.logging import log_context, logger

API_DESCRIPTION: Final = "Runs OpenAI function calls on AWS without a server."
PROBLEM_JSON: Final = "application/problem+json"

NOT_AN_OBJECT: Final = "Input should be an object"

MAX_BODY_BYTES: Final = 1_000_000
"""Of a request. A prompt has at most 100 KB; JSON escapes may take the rest."""

MAX_FIELD_NAME_CHARACTERS: Final = 200

_TITLES: Final[Mapping[int, str]] = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's names, which Python uses from 3.13 on: the description is the same for all versions."""

QUOTA_UNITS: Final = {
    "runs": "requests",
    "tokens": "tokens",
    "usd": "micro-usd",
    "concurrent": "concurrent-requests",
}
"""The units of quotas in the field RateLimit-Policy."""

RunId = Annotated[str, Path(description="The run's id.", max_length=80)]
BatchId = Annotated[str, Path(description="The batch's id.", max_length=80)]
CallId = Annotated[str, Path(description="The call's id in the run: its round and position.", max_length=20)]

Owner = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description="Only those of this caller, exactly as their `owner`.",
    ),
]

Wait = Annotated[int, Query(ge=0, le=25, description="Seconds to wait at most.")]

LambdaHandler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class FieldProblem(Model):
    """A field of the request, and why its value was rejected."""

    field: str
    reason: str


class Problem(Model):
    """A problem document (RFC 9457). `errors` names the fields of an invalid request."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


def describe_responses(
    status: HTTPStatus, model: type[Model], description: str, *errors: HTTPStatus
) -> dict[int, Any]:
    """A route's responses for the API's description: the success, these errors, and those of every route."""
    success = {"description": description, "content": {"application/json": {"model": model}}}
    always = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = {"content": {PROBLEM_JSON: {"model": Problem}}}
    problems = {each.value: {"description": _title(each), **problem} for each in sorted({*always, *errors})}
    return {status.value: success, **problems}


def http_api() -> APIGatewayHttpResolver:
    """A resolver for the routes of one function. An error that a route raises becomes a problem document."""
    app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=_parse_body)
    app.exception_handler(RequestValidationError)(_handle_validation_error)
    app.exception_handler(InvalidInput)(_handle_invalid_input)
    app.exception_handler(NotFound)(_handle_not_found)
    app.exception_handler(RunAlreadyEnded)(_handle_conflict)
    app.exception_handler(BatchAlreadyEnded)(_handle_conflict)
    app.exception_handler(RunNotRetryable)(_handle_conflict)
    app.exception_handler(CallConflict)(_handle_conflict)
    app.exception_handler(DecisionNotAllowed)(_handle_forbidden)
    app.exception_handler(IdempotencyKeyConflict)(_handle_unprocessable)
    app.exception_handler(QuotaExceeded)(_handle_quota_exceeded)
    app.exception_handler(Stopped)(_handle_unavailable)
    app.exception_handler(TransientError)(_handle_unavailable)
    app.exception_handler(UnicodeDecodeError)(_handle_not_utf8)
    app.exception_handler(RecursionError)(_handle_nesting)
    app.exception_handler(Exception)(_handle_any_error)
    app.not_found(_handle_not_found)
    return app


def seconds_left(app: APIGatewayHttpResolver, wait: int, clock: SystemClock) -> float:
    """How long this request may still wait: a cold start is part of the 30 s that the API has."""
    elapsed = clock.now().timestamp() - app.current_event.request_context.time_epoch / 1000
    return wait - max(elapsed, 0)


def lambda_handler_of(app: APIGatewayHttpResolver) -> LambdaHandler:
    """The Lambda handler of a resolver, for requests of an HTTP API (payload version 2.0).

    A body is read as JSON whatever its Content-Type: `curl -d` sends everything as a form.
    """

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if len(event.get("body") or "") > MAX_BODY_BYTES:
            detail = f"the body is larger than {MAX_BODY_BYTES:,} bytes"
            return _to_lambda_response(problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
        headers = {**event.get("headers", {}), "content-type": "application/json"}
        try:
            with caller_of(event), log_context(**_request_ids(event)):
                return app.resolve({**event, "headers": headers, "body": _without_bom(event)}, context)
        except CallerNotIdentified as error:
            return _to_lambda_response(problem_response(HTTPStatus.FORBIDDEN, str(error)))

    return lambda_handler


def merge_descriptions(*apps: APIGatewayHttpResolver) -> str:
    """The OpenAPI 3.1 description of all routes of these resolvers, as JSON."""
    merge = OpenAPIMerge(title="Upcall", version="0.1.0", description=API_DESCRIPTION)
    for app in apps:
        merge.add_schema(json.loads(app.get_openapi_json_schema()))
    merged = json.loads(merge.get_openapi_json_schema())
    for path in merged["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:  # Powertools' own validation error; ours is a 400
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        merged["components"]["schemas"].pop(name, None)
    return json.dumps(merged, indent=2, ensure_ascii=False)


def raw_body(event: APIGatewayProxyEventV2) -> bytes:
    """The bytes of a body. API Gateway encodes those that it does not take for text."""
    body = event.body or ""
    if not event.is_base64_encoded:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidInput(FieldError(WHOLE_BODY, "is not base64")) from None


def json_response(status: HTTPStatus, content: Model, **headers: str) -> Response[str]:
    """A JSON response without the fields that are None."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=content.model_dump_json(exclude_none=True),
        headers=headers,
    )


def problem_response(
    status: HTTPStatus, detail: str, *errors: FieldError, headers: Mapping[str, str] = MappingProxyType({})
) -> Response[str]:
    """A problem document, with further headers."""
    fields = tuple(FieldProblem(field=error.field, reason=error.reason) for error in errors)
    document = Problem(title=_title(status), status=status.value, detail=detail, errors=fields)
    return Response(
        status_code=status,
        content_type=PROBLEM_JSON,
        body=json.dumps(document.model_dump(exclude=None if fields else {"errors"})),
        headers={"Content-Type": PROBLEM_JSON, **headers},
    )


def _without_bom(event: Mapping[str, Any]) -> str | None:
    """The body without the byte order mark that some editors put before JSON: four characters of base 64."""
    body: str | None = event.get("body")
    return body and body.removeprefix("77u/" if event.get("isBase64Encoded") else "\ufeff")


def _to_lambda_response(response: Response[str]) -> dict[str, Any]:
    return {"statusCode": response.status_code, "body": response.body, "headers": response.headers}


def _request_ids(event: Mapping[str, Any]) -> dict[str, str]:
    """The ids for log lines: the request's, and the run's if the path holds a valid one."""
    ids = {"request_id": str(event.get("requestContext", {}).get("requestId", ""))}
    run_id = (event.get("pathParameters") or {}).get("run_id", "")
    return ids | ({"run_id": run_id} if is_run_id(run_id) else {})


def _title(status: HTTPStatus) -> str:
    return _TITLES.get(status, status.phrase)


def _parse_body(text: str) -> Any:
    """A JSON body. Powertools handles errors of syntax only; too long an integer is another ValueError.

    No route takes a list, of which Powertools would take the first element.
    """
    try:
        body = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise InvalidInput(FieldError(WHOLE_BODY, "has a number of too many digits")) from None
    if isinstance(body, list):
        raise InvalidInput(FieldError(WHOLE_BODY, NOT_AN_OBJECT))
    return body


def _handle_validation_error(error: RequestValidationError) -> Response[str]:
    return _handle_invalid_input(InvalidInput(*(_field_error(finding) for finding in error.errors())))


def _field_error(finding: Mapping[str, Any]) -> FieldError:
    """A finding of Powertools, whose location begins with the part of the request that it is about."""
    _, *location = finding["loc"]
    if finding["type"] == "json_invalid":
        return FieldError(WHOLE_BODY, f"Invalid JSON: {finding['ctx']['error']}")
    field = ".".join(str(part) for part in location) or WHOLE_BODY
    reason = _REASONS.get(finding["type"], finding["msg"].removeprefix("Value error, "))
    return FieldError(field[:MAX_FIELD_NAME_CHARACTERS], reason)


_REASONS: Final = {"model_attributes_type": NOT_AN_OBJECT}


def _handle_invalid_input(error: InvalidInput) -> Response[str]:
    return problem_response(HTTPStatus.BAD_REQUEST, str(error), *error.errors)


def _handle_not_utf8(_: UnicodeDecodeError) -> Response[str]:
    return _handle_invalid_input(InvalidInput(FieldError(WHOLE_BODY, "is not UTF-8")))


def _handle_nesting(_: RecursionError) -> Response[str]:
    return _handle_invalid_input(InvalidInput(FieldError(WHOLE_BODY, "is nested too deeply")))


def _handle_not_found(error: Exception) -> Response[str]:
    return problem_response(HTTPStatus.NOT_FOUND, str(error))


def _handle_forbidden(error: DecisionNotAllowed) -> Response[str]:
    return problem_response(HTTPStatus.FORBIDDEN, str(error))


def _handle_conflict(error: Exception) -> Response[str]:
    return problem_response(HTTPStatus.CONFLICT, str(error))


def _handle_unprocessable(error: IdempotencyKeyConflict) -> Response[str]:
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _handle_quota_exceeded(error: QuotaExceeded) -> Response[str]:
    """The fields are those of draft-ietf-httpapi-ratelimit-headers-11; quotas are integers in a unit."""
    unit = QUOTA_UNITS[error.quota]
    window = f";w={error.window}" if error.window else ""
    headers = {
        "Retry-After": str(error.retry_after),
        "RateLimit-Policy": f'"{error.quota}";q={error.limit};qu="{unit}"{window}',
        "RateLimit": f'"{error.quota}";r=0;t={error.retry_after}',
    }
    return problem_response(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers=headers)


def _handle_unavailable(error: Stopped | TransientError) -> Response[str]:
    headers = {"Retry-After": str(ceil(error.retry_after))} if error.retry_after else {}
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)


def _handle_any_error(_: Exception) -> Response[str]:
    logger.exception("request failed")
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; it has been logged")
