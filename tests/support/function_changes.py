"""Changes a deployed function of a local stack for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from local.stack import LocalStack

if TYPE_CHECKING:
    from local.lambda_runtime import Function


@contextmanager
def function_changes(
    local_stack: LocalStack,
    logical_id: str,
    *,
    environment: Mapping[str, str] | None = None,
    exempt_hosts: tuple[str, ...] = (),
    reserved_concurrency: int | None = None,
) -> Iterator[None]:
    """Give a function other environment variables, and loopback servers (`host:port`) that it may reach.

    And a reserved concurrency.
    """
    functions = cast("dict[str, Function]", local_stack.runner.functions)
    name = local_stack.deployed.functions[logical_id].name
    before = functions[name]
    functions[name] = replace(
        before,
        environment={**before.environment, **(environment or {})},
        exempt_hosts=(*before.exempt_hosts, *exempt_hosts),
        reserved_concurrency=reserved_concurrency,
    )
    try:
        yield
    finally:
        functions[name] = before
