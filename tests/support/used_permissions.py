"""Records which AWS actions, and which partitions of the table, each function of the local stack uses."""

import json
import re
import threading
from collections import defaultdict
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

IAM_PREFIXES = {"stepfunctions": "states"}
"""Services whose actions have another prefix in IAM."""

PARTS_OF_AN_UPLOAD = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}
"""Their permission is s3:PutObject."""


class UsedPermissions:
    """What all boto3 clients do that are created after this object, by function name.

    `partition_keys` are those of single items in DynamoDB.
    """

    def __init__(self) -> None:
        self.actions: defaultdict[str, set[str]] = defaultdict(set)
        self.partition_keys: defaultdict[str, set[str]] = defaultdict(set)
        BUILTIN_HANDLERS.append(("before-call", self._record))
        BUILTIN_HANDLERS.append(("before-parameter-build.dynamodb", self._record_partition_key))

    def _record(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        function = _function()
        name = "PutObject" if model.name in PARTS_OF_AN_UPLOAD else model.name
        names = {name} if model.name != "TransactWriteItems" else _actions_of_transaction(params)
        self.actions[function] |= {f"{IAM_PREFIXES.get(service, service)}:{name}" for name in names}

    def _record_partition_key(self, params: dict[str, Any], **_: Any) -> None:
        item = params.get("Key") or params.get("Item")
        if item:
            key = item["pk"]
            function = _function()
            self.partition_keys[function].add(key["S"] if isinstance(key, dict) else key)


def _actions_of_transaction(request: dict[str, Any]) -> set[str]:
    """A transaction needs the permissions of its writes."""
    writes = json.loads(request["body"])["TransactItems"]
    return {f"{kind}Item" for write in writes for kind in write}


def _function() -> str:
    """The local stack names the thread of a function after it. Threads that the function starts have a number."""
    return re.sub(r"_\d+$", "", threading.current_thread().name)
