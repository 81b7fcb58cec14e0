"""Injects the faults of a model's script into requests."""

import socket
from collections.abc import Callable

from flask import Response, request

from local.openai_emulator.scripted_model import Fault, ScriptedModels


def respond(models: ScriptedModels, model: str, operation: str, process: Callable[[], Response]) -> Response:
    """The response of `process`, unless the model's script has a fault for this operation."""
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
