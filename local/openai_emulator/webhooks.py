"""The webhooks of the emulator: the API for endpoints, and the events that are sent to them.

https://developers.openai.com/api/reference/resources/webhooks, as the SDK 3.57 calls it.
"""

import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.errors import ApiError
from local.openai_emulator.scheduler import Scheduler
from local.openai_emulator.webhook_delivery import NO_RESPONSE, Deliveries, Delivery, WebhookFaults
from local.openai_emulator.webhook_endpoints import EVENT_TYPES, WebhookEndpoint

SETTLING_SECONDS = 0.001
"""After a turn's end, so that its phase is `done` in spite of rounding."""

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class Webhooks:
    """The endpoints of one server. Without an endpoint, nothing runs in the background.

    `deliveries` has the faults, which a test may replace, and the requests that were sent.
    """

    def __init__(self, faults: WebhookFaults | None = None) -> None:
        self._scheduler = Scheduler()
        self.deliveries = Deliveries(self._scheduler, faults or WebhookFaults())
        self._endpoints: dict[str, WebhookEndpoint] = {}
        self._numbers = itertools.count(time.time_ns() // 1000)

    def register(self, url: str, event_types: Sequence[str] = EVENT_TYPES, name: str = "endpoint") -> str:
        """Add an endpoint. Returns its secret."""
        return self._create({"url": url, "event_types": event_types, "name": name}).secret

    def call_at(self, due: float, task: Callable[[], None]) -> None:
        """Call a function when a turn that ends at `due` has ended, if there is an endpoint now."""
        if self._endpoints:
            self._scheduler.call_at(due + SETTLING_SECONDS, task)

    def publish(self, event_type: str, **data: Any) -> None:
        """Send an event to all endpoints that have its type."""
        event = self._event(event_type, data)
        for endpoint in list(self._endpoints.values()):
            if event_type in endpoint.event_types:
                self.deliveries.send(self._delivery(endpoint, event))

    @property
    def pending(self) -> int:
        """The number of deliveries and of turns whose end is still to come."""
        return self._scheduler.pending

    def stop(self) -> None:
        """Send nothing more."""
        self._scheduler.stop()

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("webhooks", __name__)

        @routes.errorhandler(ApiError)
        def reject(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.get("/webhook_event_types")
        def list_event_types() -> Response:
            return jsonify({"object": "list", "data": EVENT_TYPES})

        @routes.get("/webhook_endpoints")
        def list_endpoints() -> Response:
            return jsonify(_page(list(reversed(self._endpoints.values()))))

        @routes.post("/webhook_endpoints")
        def create() -> Response:
            return jsonify(self._create(request.get_json()).document(with_secret=True))

        @routes.get("/webhook_endpoints/<id_>")
        def retrieve(id_: str) -> Response:
            return jsonify(self._find(id_).document())

        @routes.post("/webhook_endpoints/<id_>")
        def update(id_: str) -> Response:
            endpoint, fields = self._find(id_), request.get_json()
            _check_fields(fields)
            for name in ("url", "event_types", "name"):
                setattr(endpoint, name, fields.get(name, getattr(endpoint, name)))
            endpoint.updated_at = time.time()
            return jsonify(endpoint.document())

        @routes.delete("/webhook_endpoints/<id_>")
        def delete(id_: str) -> Response:
            del self._endpoints[self._find(id_).id]
            return jsonify({"id": id_, "object": "webhook_endpoint.deleted", "deleted": True})

        @routes.post("/webhook_endpoints/<id_>/rotate_secret")
        def rotate_secret(id_: str) -> Response:
            endpoint, fields = self._find(id_), request.get_json(silent=True) or {}
            endpoint.rotate_secret(keep_old=fields.get("keep_old_secret_active_for_24_hours", False))
            return jsonify(endpoint.document(with_secret=True))

        @routes.post("/webhook_endpoints/<id_>/test")
        def test(id_: str) -> Response:
            return jsonify(self._send_sample(self._find(id_), request.get_json().get("event_type")))

        return routes

    def _find(self, id_: str) -> WebhookEndpoint:
        if id_ not in self._endpoints:
            raise ApiError(404, f"No webhook endpoint found with id '{id_}'.")
        return self._endpoints[id_]

    def _create(self, fields: Mapping[str, Any]) -> WebhookEndpoint:
        for name in ("url", "event_types", "name"):
            if not fields.get(name):
                message = f"Missing required parameter: '{name}'."
                raise ApiError(400, message, code="missing_required_parameter", param=name)
        _check_fields(fields)
        endpoint = WebhookEndpoint(fields["url"], fields["event_types"], fields["name"])
        self._endpoints[endpoint.id] = endpoint
        return endpoint

    def _send_sample(self, endpoint: WebhookEndpoint, event_type: str) -> dict[str, Any]:
        _check_event_types([event_type], "event_type")
        event = self._event(event_type, {"id": f"{event_type.partition('.')[0]}_sample"})
        delivery = self._delivery(endpoint, event)
        status = self.deliveries.post(delivery, endpoint.signing_secrets)
        if status == NO_RESPONSE:
            raise ApiError(400, "The webhook endpoint did not respond.", code="webhook_test_failed")
        return {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": endpoint.id,
            "event_type": event_type,
            "status_code": status,
            "success": True,
        }

    def _event(self, event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": f"evt_{next(self._numbers):x}",
            "object": "event",
            "type": event_type,
            "created_at": int(time.time()),
            "data": data,
        }

    def _delivery(self, endpoint: WebhookEndpoint, event: Mapping[str, Any]) -> Delivery:
        number = next(self._numbers)
        return Delivery(number, f"wh_{number:x}", endpoint, event["type"], json.dumps(event).encode())


def _page(endpoints: list[WebhookEndpoint]) -> dict[str, Any]:
    """A page of these endpoints by the request's `after` and `limit`."""
    limit = request.args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        raise ApiError(400, "'limit' must be between 1 and 100.", param="limit")
    if after := request.args.get("after"):
        ids = [each.id for each in endpoints]
        if after not in ids:
            raise ApiError(400, f"Nothing found with id '{after}'.", param="after")
        endpoints = endpoints[ids.index(after) + 1 :]
    page = [each.document() for each in endpoints[:limit]]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(endpoints) > limit,
    }


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Reject what the API would reject, except for `http` to loopback, where the tests' endpoints are."""
    if "url" in fields:
        url = urlsplit(fields["url"])
        if not (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK_HOSTS)):
            raise ApiError(400, "'url' must be an HTTPS URL.", param="url")
    if "event_types" in fields:
        _check_event_types(fields["event_types"], "event_types")


def _check_event_types(event_types: Any, param: str) -> None:
    if not event_types or not set(event_types) <= set(EVENT_TYPES):
        raise ApiError(400, f"'{param}' must be of the types of GET /webhook_event_types.", param=param)
