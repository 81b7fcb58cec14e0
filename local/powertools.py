"""Lets functions of one process resolve HTTP requests with Powertools at the same time."""

import copy
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver


def isolate_requests(app: object) -> None:
    """Let this resolver resolve each request with a copy of itself. Does nothing to any other object.

    Powertools keeps the current request in attributes of the resolver and of a class that all resolvers
    share, because a function on AWS has one request at a time.
    """
    if isinstance(app, ApiGatewayResolver) and "resolve" not in vars(app):
        vars(app)["resolve"] = partial(_resolve_in_copy, copy.copy(app))


def _resolve_in_copy(app: ApiGatewayResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    isolated = copy.copy(app)
    isolated.context = {}
    isolated.current_event = app._to_proxy_event(event)
    isolated.lambda_context = context
    return isolated.resolve(event, context)
