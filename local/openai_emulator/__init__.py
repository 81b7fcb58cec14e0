"""An emulator of the OpenAI API: an HTTP server on loopback over scripted models."""

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    EndIncomplete,
    Fail,
    FailAtFirst,
    Hang,
    Say,
    Step,
)
from local.openai_emulator.scripted_model import Fault
from local.openai_emulator.server import Emulator
from local.openai_emulator.webhook_delivery import WebhookFaults

__all__ = [
    "Call",
    "CallTools",
    "Emulator",
    "EndIncomplete",
    "Fail",
    "FailAtFirst",
    "Fault",
    "Hang",
    "Say",
    "Step",
    "WebhookFaults",
]
