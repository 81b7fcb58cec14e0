"""Records which AWS actions each function of the local stack uses."""

import threading
from collections import defaultdict
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

IAM_PREFIXES = {"stepfunctions": "states"}
"""Services whose actions have another prefix in IAM."""


class UsedPermissions:
    """The actions by function name, of all boto3 clients that are created after this object."""

    def __init__(self) -> None:
        self.actions: defaultdict[str, set[str]] = defaultdict(set)
        BUILTIN_HANDLERS.append(("before-call", self._record))

    def _record(self, model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        function = threading.current_thread().name  # the local stack names a function's thread after it
        self.actions[function].add(f"{IAM_PREFIXES.get(service, service)}:{model.name}")
