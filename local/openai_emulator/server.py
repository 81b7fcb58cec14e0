"""The emulator as a server: one brain, and a module for each protocol that it speaks."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from local.http_server import HttpServer
from local.openai_emulator.agents import Agents
from local.openai_emulator.assistants import Assistants
from local.openai_emulator.errors import ApiError
from local.openai_emulator.fault_injection import FaultInjection
from local.openai_emulator.responses import Responses
from local.openai_emulator.scripted_model import ScriptedModels
from local.table_file import write_whole


class Emulator:
    """An OpenAI server on loopback.

    `thinking_seconds` is how long the model takes for each step. `poll_after_ms`, if set, is sent as
    the header `openai-poll-after-ms`, which makes clients look more often than they would. The ids of
    what it makes count from `first_turn` on. A `faulty_share` of all requests goes wrong by chance, of which
    `seed` decides.
    """

    def __init__(
        self,
        *,
        thinking_seconds: float = 0.4,
        poll_after_ms: int | None = None,
        port: int = 0,
        also_on: Sequence[str] = (),
        first_turn: int | None = None,
        faulty_share: float = 0,
        seed: int = 0,
    ) -> None:
        self.brain = ScriptedModels(first_turn)
        self.script = self.brain.script
        flask = Flask(__name__, static_folder=None)
        unauthorised = ApiError(401, "You didn't provide an API key.")
        self._protocols = [each(self.brain, thinking_seconds) for each in (Responses, Assistants, Agents)]
        for protocol in self._protocols:
            flask.register_blueprint(protocol.blueprint(), url_prefix="/v1")

        @flask.before_request
        def authorised() -> tuple[dict[str, object], int] | None:
            if request.headers.get("authorization", "").startswith("Bearer "):
                return None
            return unauthorised.document, unauthorised.status

        @flask.after_request
        def hint(response: Response) -> Response:
            if poll_after_ms is not None:
                response.headers["openai-poll-after-ms"] = str(poll_after_ms)
            return response

        self.climate = FaultInjection(flask, faulty_share, seed)
        self._server = HttpServer(self.climate, port, also_on)
        self.base_url = f"{self._server.url}/v1"

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    def save(self, path: Path) -> None:
        """Write all that the server holds to a file, whole or not at all."""
        write_whole(path, pickle.dumps([_held(protocol) for protocol in self._protocols]))

    def load(self, path: Path) -> None:
        """Take up what `save` wrote, so that conversations can go on; what cannot be read is forgotten."""
        try:
            # our own file, in a folder of the user's: nobody else writes it
            saved = list(pickle.loads(path.read_bytes()))  # noqa: S301
        except Exception:  # none yet, or one of another version: pickle raises almost anything
            return
        for protocol, held in zip(self._protocols, saved, strict=False):
            for name, things in _held(protocol).items():
                things.update(held.get(name, {}))


def _held(protocol: object) -> dict[str, dict[str, Any]]:
    """What a protocol holds: its dictionaries of things by their ids."""
    return {name: value for name, value in vars(protocol).items() if isinstance(value, dict)}
