"""The emulator's HTTP server, with a module for each protocol."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from local.atomic_write import write_atomically
from local.http_server import HttpServer
from local.openai_emulator.agents import Agents
from local.openai_emulator.assistants import Assistants
from local.openai_emulator.errors import ApiError
from local.openai_emulator.fault_injection import FaultInjection
from local.openai_emulator.rate_limits import DEFAULT_REQUESTS_PER_MINUTE, RateLimits
from local.openai_emulator.responses import Responses
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.webhook_delivery import WebhookFaults
from local.openai_emulator.webhooks import Webhooks


class Emulator:
    """An OpenAI server on loopback.

    `model_seconds` is the time of each turn of a model. `poll_after_ms`, if it is set, is sent as the header
    `openai-poll-after-ms`: the interval at which clients should poll. Ids are numbered from `first_turn` on.
    The share `fault_rate` of all requests fails; `seed` decides which. `webhooks` has the endpoints to which
    events are sent, with `webhook_faults`. `requests_per_minute` and `tokens_per_minute` limit each model.
    """

    def __init__(
        self,
        *,
        model_seconds: float = 0.4,
        poll_after_ms: int | None = None,
        port: int = 0,
        extra_addresses: Sequence[str] = (),
        first_turn: int | None = None,
        fault_rate: float = 0,
        seed: int = 0,
        webhook_faults: WebhookFaults | None = None,
        requests_per_minute: int | None = DEFAULT_REQUESTS_PER_MINUTE,
        tokens_per_minute: int | None = None,
    ) -> None:
        self.models = ScriptedModels(first_turn, RateLimits(requests_per_minute, tokens_per_minute))
        self.script = self.models.script
        flask = Flask(__name__, static_folder=None)
        unauthorised = ApiError(401, "You didn't provide an API key.")
        self.webhooks = Webhooks(webhook_faults)
        self._protocols: list[Responses | Assistants | Agents] = [
            Responses(self.models, model_seconds, self.webhooks),
            Assistants(self.models, model_seconds),
            Agents(self.models, model_seconds, self.webhooks),
        ]
        for routes in (*(each.blueprint() for each in self._protocols), self.webhooks.blueprint()):
            flask.register_blueprint(routes, url_prefix="/v1")

        @flask.before_request
        def require_api_key() -> tuple[dict[str, object], int] | None:
            if request.headers.get("authorization", "").startswith("Bearer "):
                return None
            return unauthorised.document, unauthorised.status

        @flask.after_request
        def add_poll_interval(response: Response) -> Response:
            if poll_after_ms is not None:
                response.headers["openai-poll-after-ms"] = str(poll_after_ms)
            return response

        self.fault_injection = FaultInjection(flask, fault_rate, seed)
        self._server = HttpServer(self.fault_injection, port, extra_addresses)
        self.base_url = f"{self._server.url}/v1"

    def stop(self) -> None:
        """Stop serving, and send no more webhooks."""
        self.webhooks.stop()
        self._server.stop()

    def save(self, path: Path) -> None:
        """Write the state of the server to a file."""
        write_atomically(path, pickle.dumps([_state(protocol) for protocol in self._protocols]))

    def load(self, path: Path) -> None:
        """Add the state in a file, so that conversations can continue.

        A file that cannot be read is ignored.
        """
        try:
            # our own file, in a folder that only the user writes to
            states = list(pickle.loads(path.read_bytes()))  # noqa: S301
        except Exception:  # there is none, or one of another version; pickle may raise any error
            return
        for protocol, state in zip(self._protocols, states, strict=False):
            for name, objects in _state(protocol).items():
                objects.update(state.get(name, {}))


def _state(protocol: object) -> dict[str, dict[str, Any]]:
    """The dictionaries of a protocol, which hold its objects by their ids."""
    return {name: value for name, value in vars(protocol).items() if isinstance(value, dict)}
