"""Webhook endpoints: their settings and signing secrets."""

import base64
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

EVENT_TYPES = (
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
    "eval.run.succeeded",
    "eval.run.failed",
    "eval.run.canceled",
    "fine_tuning.job.succeeded",
    "fine_tuning.job.failed",
    "fine_tuning.job.cancelled",
    "realtime.call.incoming",
    "video.completed",
    "video.failed",
    "agent.environment.ready",
    "agent.environment.failed",
    "agent.environment.suspended",
    "agent.environment.expired",
    "agent.session.created",
    "agent.session.action_required",
    "agent.session.in_progress",
    "agent.session.idle",
    "agent.session.failed",
    "safety.alert.created",
)
"""All types that an endpoint may name."""

GRACE_SECONDS = 24 * 3600
"""How long deliveries are also signed with the previous secret, if a rotation asks for it."""


def new_secret() -> str:
    """A random signing secret of 32 bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@dataclass
class WebhookEndpoint:
    """An endpoint. Times are in seconds since the epoch."""

    url: str
    event_types: Sequence[str]
    name: str
    id: str = field(default_factory=lambda: f"whe_{secrets.token_hex(12)}")
    secret: str = field(default_factory=new_secret, repr=False)
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    _previous: tuple[str, float] = field(default=("", 0), repr=False)
    """The secret before the last rotation, and until when it is used."""

    def rotate_secret(self, *, keep_old: bool) -> None:
        """Make a new secret. `keep_old` lets the old one sign as well for GRACE_SECONDS."""
        self._previous = (self.secret, time.time() + GRACE_SECONDS if keep_old else 0)
        self.secret = new_secret()
        self.updated_at = time.time()

    @property
    def signing_secrets(self) -> str:
        """The secrets that sign a delivery now, with a blank between them."""
        previous, until = self._previous
        return f"{self.secret} {previous}" if time.time() < until else self.secret

    def document(self, *, with_secret: bool = False) -> dict[str, Any]:
        """The endpoint in the API's format. Only a creation and a rotation return the secret."""
        fields: dict[str, Any] = {
            "id": self.id,
            "object": "webhook_endpoint",
            "name": self.name,
            "url": self.url,
            "event_types": list(self.event_types),
            "created_at": int(self.created_at),
            "updated_at": int(self.updated_at),
            "signing_secret_hint": f"whsec_...{self.secret[-4:]}",
        }
        return {**fields, "signing_secret": self.secret} if with_secret else fields
