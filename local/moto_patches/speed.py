"""Four places where moto does more than need be for each request or execution. Known to fit 5.2.5.

Nothing that it answers changes. Each run would pay a quarter more for them; each has a test in
`tests/local/test_moto_speed.py` that says what broke when a new moto moves it.
"""

import copy
import inspect
import os
import threading
from collections import defaultdict
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_events
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

TASK_SECONDS = 900
"""No function of AWS takes longer."""

TASKS_AT_ONCE = 200
"""More than that make connections of their own, which are closed afterwards."""


class Dispatcher(DomainDispatcherApplication):
    """moto's server. For each request it would look through its own folder, with a lock in hand."""

    @cache  # noqa: B019  # a process has one
    def get_backend_for_host(self, host: str | None) -> Any:
        """The service at a host."""
        return super().get_backend_for_host(host)


def parse_workflows_once() -> None:
    """Keep the syntax tree of a definition; moto would parse it anew for each execution.

    What is evaluated is still made from the tree for each execution, because it holds state.
    """

    def parse(definition: str) -> Any:
        tree = _tree(definition)
        return Preprocessor().visit(tree), tree

    AmazonStateLanguageParser.parse = parse  # type: ignore[method-assign]


def read_partitions() -> None:
    """Let a query read the partition that it is about, of the table or of an index.

    moto would sort the whole table for it.
    """

    def query(self: Table, *given: Any, **named: Any) -> Any:
        asked = _QUERY.bind(self, *given, **named).arguments
        table, self = self, copy.copy(self)
        if asked.get("index_name") is None:
            partition = asked["hash_key"]
            self.items = {partition: dict(table.items.get(partition, {}))}  # type: ignore[assignment]
        else:
            wanted = asked["hash_key_conditions"]
            self.items = defaultdict(dict)
            for each in table.items.values():
                for sort, item in each.items():
                    if all(name in item.attrs and item.attrs[name] == value for name, value in wanted):
                        self.items[item.hash_key][sort] = item
        return _query(self, *given, **named)

    Table.query = query  # type: ignore[method-assign]


def keep_clients() -> None:
    """Let the tasks of workflows share a client for each service; moto would make one for each task."""
    for module in (lambda_eval_utils, state_task_service_events):
        module.boto_client_for = _client  # type: ignore[attr-defined]


_query = Table.query
_QUERY = inspect.signature(_query)
_parse = AmazonStateLanguageParser.parse
_making = threading.Lock()


@cache
def _tree(definition: str) -> Any:
    return _parse(definition)[1]


def _client(region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ARG001
    with _making:
        return _made(region, service, os.environ["AWS_ENDPOINT_URL"])


@cache
def _made(region: str, service: str, endpoint: str) -> Any:
    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        connect_timeout=TASK_SECONDS,
        read_timeout=TASK_SECONDS,
        max_pool_connections=TASKS_AT_ONCE,
    )
    return boto3.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
