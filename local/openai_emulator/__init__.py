"""OpenAI on a laptop: real HTTP on loopback over one scripted brain."""

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    Fail,
    Hang,
    Say,
    Step,
    StopShort,
)
from local.openai_emulator.scripted_model import Fault
from local.openai_emulator.server import Emulator

__all__ = ["Call", "CallTools", "Emulator", "Fail", "Fault", "Hang", "Say", "Step", "StopShort"]
