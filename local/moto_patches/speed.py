"""Patches of moto that save work of each request or execution, and change no response.

Fits moto 5.2.5.

Each has a test in `tests/integration/local/test_moto_patches_speed.py`, which fails if a new version of moto
moves what is patched.
"""

import copy
import inspect
import os
import threading
from collections import defaultdict
from functools import cache
from heapq import nlargest
from types import SimpleNamespace
from typing import Any

import boto3
import moto.dynamodb.models as dynamodb_models
from botocore.config import Config
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_events
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from local.moto_patches.caches import cached_texts

MAX_TASK_SECONDS = 900
"""The maximum timeout of a function."""

MAX_TRANSACTION_ITEMS = 100
"""moto refuses more."""

MAX_CONNECTIONS = 200
"""Of a client's pool. Further tasks open connections that are closed afterwards."""


class Dispatcher(DomainDispatcherApplication):
    """moto's server.

    It caches which service a host is; moto lists a folder for that, under a lock, per request.
    """

    def __init__(self) -> None:
        super().__init__(create_backend_app)

    @cache  # noqa: B019  # a process has one
    def get_backend_for_host(self, host: str | None) -> Any:
        """The service at a host."""
        return super().get_backend_for_host(host)


def cache_parsed_workflows() -> None:
    """Parse each definition once, not at each execution.

    Only the syntax tree is shared, and the texts of its nodes. What moto evaluates is made from it for each
    execution, because it has state.
    """

    def parse(definition: str) -> Any:
        tree, texts = _syntax_tree(definition)
        with cached_texts(texts):
            return Preprocessor().visit(tree), tree

    AmazonStateLanguageParser.parse = parse  # type: ignore[method-assign]


def query_one_partition() -> None:
    """Let a query of a table read its partition only, and the first page of a list only what it may show.

    moto sorts all items of the table first.
    """

    def query(self: Table, *args: Any, **kwargs: Any) -> Any:
        arguments = _query_signature.bind(self, *args, **kwargs).arguments
        if arguments.get("index_name") is not None:
            return _query(_newest_items(self, arguments), *args, **kwargs)
        partition = arguments["hash_key"]
        excerpt = copy.copy(self)
        excerpt.items = {partition: dict(self.items.get(partition, {}))}  # type: ignore[assignment]
        return _query(excerpt, *args, **kwargs)

    Table.query = query  # type: ignore[method-assign]


def _newest_items(table: Table, arguments: dict[str, Any]) -> Table:
    """The table with the items that a page of an index may show, and one more, which tells that more follow.

    That is for a query in descending order with a maximum, from a text on. Any other gets the whole table.
    """
    match arguments:
        case {
            "limit": int(limit),
            "exclusive_start_key": None,
            "scan_index_forward": False,
            "hash_key_conditions": [(partition_name, partition)],
            "range_key_conditions": [(sort_name, "<", [DynamoType(type="S", value=before)])],
        }:
            pass
        case _:
            return table
    found = [
        (item.attrs[sort_name].value, item)
        for item in table.all_items()
        if {partition_name, sort_name} <= item.attrs.keys()
        and item.attrs[partition_name] == partition
        and item.attrs[sort_name].value < before
    ]
    newest = nlargest(limit + 1, (value for value, _ in found))
    excerpt = copy.copy(table)
    excerpt.items = defaultdict(dict)
    for value, item in found:
        if value >= newest[-1]:  # several may have the same
            excerpt.items[item.hash_key][item.range_key] = item
    return excerpt


def back_up_items_of_transactions() -> None:
    """Let a transaction that fails restore the items that it would have written.

    moto copies the whole table before each transaction. Requests must come one at a time.
    """

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        before = [_written_item(self, each) for each in transact_items[:MAX_TRANSACTION_ITEMS]]
        try:
            _transact_write_items(self, transact_items)
        except Exception:
            for items, sort_key, item in before:
                if item is not None:
                    items[sort_key] = item
                elif sort_key in items:
                    del items[sort_key]
            raise

    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]
    dynamodb_models.copy = SimpleNamespace(deepcopy=_copy_unless_table)  # type: ignore[assignment, attr-defined]


def share_task_clients() -> None:
    """Let the tasks of workflows share one client for each service. moto makes one for each task."""
    for module in (lambda_eval_utils, state_task_service_events):
        module.boto_client_for = _task_client  # type: ignore[attr-defined]


_query = Table.query
_transact_write_items = DynamoDBBackend.transact_write_items
_query_signature = inspect.signature(_query)
_parse = AmazonStateLanguageParser.parse
_making_client = threading.Lock()


@cache
def _syntax_tree(definition: str) -> tuple[Any, dict[Any, str]]:
    """The syntax tree of a definition, and a dictionary for the texts of its nodes."""
    return _parse(definition)[1], {}


def _copy_unless_table(value: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def _written_item(backend: DynamoDBBackend, write: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The partition that a write of a transaction goes to, its sort key, and a copy of the item."""
    ((_, request),) = write.items()
    table = backend.get_table(request["TableName"])
    key = request.get("Key") or request["Item"]
    partition, sort_key = (DynamoType(key[name]) for name in (table.hash_key_attr, table.range_key_attr))
    items = table.items[partition]
    return items, sort_key, copy.deepcopy(items.get(sort_key))


def _task_client(region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ARG001
    with _making_client:
        return _shared_client(region, service, os.environ["AWS_ENDPOINT_URL"])


@cache
def _shared_client(region: str, service: str, endpoint: str) -> Any:
    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        connect_timeout=MAX_TASK_SECONDS,
        read_timeout=MAX_TASK_SECONDS,
        max_pool_connections=MAX_CONNECTIONS,
    )
    return boto3.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
