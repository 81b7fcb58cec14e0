"""The HTTP side of a handler: a resolver whose every error is a problem document (RFC 9457)."""

import json
from http import HTTPStatus
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import ValidationError

from upcall.errors import FieldError, InvalidInput, NotFound, RunEnded
from upcall.field_errors import field_errors
from upcall.log import logger
from upcall.models import Model

M = TypeVar("M", bound=Model)


def http_api() -> APIGatewayHttpResolver:
    """A resolver for one function of the API. What it raises becomes a problem with its status."""
    app = APIGatewayHttpResolver()
    app.exception_handler(InvalidInput)(_invalid)
    app.exception_handler(NotFound)(_not_found)
    app.exception_handler(RunEnded)(_conflict)
    app.exception_handler(Exception)(_unexpected)
    app.not_found(_not_found)
    return app


def body(app: APIGatewayHttpResolver, kind: type[M]) -> M:
    """The request's body as a model, whatever type the client calls it. Raises InvalidInput."""
    try:
        return kind.model_validate_json(app.current_event.decoded_body or "")
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(FieldError("body", "is not UTF-8")) from error


def answer(status: HTTPStatus, content: Model, **headers: str) -> Response[str]:
    """A JSON answer."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=content.model_dump_json(exclude_none=True),
        headers=headers,
    )


def problem(status: HTTPStatus, detail: str, **more: Any) -> Response[str]:
    """A problem document: type, title, status, detail, and `errors` with field and reason."""
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **more,
    }
    return Response(status_code=status, content_type="application/problem+json", body=json.dumps(document))


def _invalid(error: InvalidInput) -> Response[str]:
    errors = [{"field": each.field, "reason": each.reason} for each in error.errors]
    return problem(HTTPStatus.BAD_REQUEST, str(error), errors=errors)


def _not_found(error: Exception) -> Response[str]:
    return problem(HTTPStatus.NOT_FOUND, str(error))


def _conflict(error: RunEnded) -> Response[str]:
    return problem(HTTPStatus.CONFLICT, str(error))


def _unexpected(_: Exception) -> Response[str]:
    logger.exception("unexpected")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the fault is ours; it has been logged")
