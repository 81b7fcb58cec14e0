"""Which of AWS's actions each function asks for, seen where its client sends the request."""

import threading
from collections import defaultdict
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

PREFIXES = {"stepfunctions": "states"}
"""Where a service's actions are called otherwise than the service."""


class UsedRights:
    """The actions by function name, of clients of sessions that are made from now on."""

    def __init__(self) -> None:
        self.actions: defaultdict[str, set[str]] = defaultdict(set)
        BUILTIN_HANDLERS.append(("before-call", self._note))

    def _note(self, model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        function = threading.current_thread().name  # the laptop runs each function in a thread of its name
        self.actions[function].add(f"{PREFIXES.get(service, service)}:{model.name}")
