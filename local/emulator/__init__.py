"""OpenAI on a laptop: real HTTP on loopback over one scripted brain."""

from local.emulator.brain import Fault
from local.emulator.conversation import Call, CallTools, Fail, Hang, Say, Step, StopShort
from local.emulator.server import Emulator

__all__ = ["Call", "CallTools", "Emulator", "Fail", "Fault", "Hang", "Say", "Step", "StopShort"]
