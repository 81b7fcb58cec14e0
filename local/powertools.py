"""Lets functions of one process resolve HTTP requests with Powertools at the same time."""

import copy
from contextvars import ContextVar
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver, BaseRouter
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

_current_event: ContextVar[BaseProxyEvent | None] = ContextVar("current_event", default=None)


def isolate_requests(app: object) -> None:
    """Let this resolver resolve each request with a copy of itself. Does nothing to any other object.

    Powertools keeps the current request in attributes of the resolver and of a class that all resolvers
    share, because a function on AWS has one request at a time. Routes read it from the resolver itself, not
    from the copy, so from now on a resolver has the request of the thread that asks.
    """
    if isinstance(app, ApiGatewayResolver) and "resolve" not in vars(app):
        ApiGatewayResolver.current_event = property(_find_current_event)  # type: ignore[assignment]
        vars(app)["resolve"] = partial(_resolve_in_copy, copy.copy(app))


def _find_current_event(_: ApiGatewayResolver) -> BaseProxyEvent:
    """The request of this thread, or Powertools' own if it is not resolved in a copy."""
    return _current_event.get() or BaseRouter.current_event


def _resolve_in_copy(app: ApiGatewayResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    isolated = copy.copy(app)
    isolated.context = {}
    isolated.lambda_context = context
    token = _current_event.set(app._to_proxy_event(event))
    try:
        return isolated.resolve(event, context)
    finally:
        _current_event.reset(token)
