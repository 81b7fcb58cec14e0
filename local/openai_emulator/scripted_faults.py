"""What can go wrong on the wire, acted out."""

import socket
from collections.abc import Callable

from flask import Response, request

from local.openai_emulator.scripted_model import Fault, ScriptedModels


def weather(brain: ScriptedModels, model: str, operation: str, work: Callable[[], Response]) -> Response:
    """The answer of `work`, unless the model's script has a fault for this operation."""
    fault = brain.fault(model, operation)
    if fault is None:
        return work()
    if fault.acted:
        work()
    return _act(fault)


def _act(fault: Fault) -> Response:
    """The answer of a request that goes wrong; status 0 cuts the connection instead."""
    if fault.status == 0:
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response()
    return Response(fault.body, fault.status, dict(fault.headers), content_type="application/json")
