"""Injects the faults of a model's script into requests, and holds its rate limits."""

import json
import socket
from collections.abc import Callable

from flask import Response, request

from local.openai_emulator.scripted_model import Fault, ScriptedModels

TURN_OPERATIONS = ("create", "submit")
"""They start a turn of the model."""


def respond(models: ScriptedModels, model: str, operation: str, process: Callable[[], Response]) -> Response:
    """The response of `process`, unless the model's script has a fault for this operation.

    A request that starts a turn is refused if it exceeds a rate limit of the model.
    """
    if operation not in TURN_OPERATIONS:
        return _respond(models, model, operation, process)
    admission = models.rate_limits.admit(model, request.get_data())
    if admission.error is None:
        response = _respond(models, model, operation, process)
    else:
        response = Response(json.dumps(admission.error), 429, content_type="application/json")
    response.headers.update(admission.headers)
    return response


def _respond(models: ScriptedModels, model: str, operation: str, process: Callable[[], Response]) -> Response:
    fault = models.take_fault(model, operation)
    if fault is None:
        return process()
    if fault.processed:
        process()
    return _fault_response(fault)


def _fault_response(fault: Fault) -> Response:
    if fault.status == 0:  # drops the connection
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response()
    return Response(fault.body, fault.status, dict(fault.headers), content_type="application/json")
