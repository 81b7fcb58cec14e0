"""What can go wrong on the wire, acted out."""

import socket

from flask import Response, request

from local.emulator.brain import Fault


def act(fault: Fault) -> Response:
    """The answer of a request that goes wrong; status 0 cuts the connection instead."""
    if fault.status == 0:
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response()
    return Response(fault.body, fault.status, dict(fault.headers), content_type="application/json")
