"""The run APIs: one module for each OpenAI protocol. Nothing outside of this package names one of them."""

from collections.abc import Mapping

from upcall.domain.upstream_run import RunApiName
from upcall.run_apis import agents, assistants, responses
from upcall.run_apis.base import RunApi

_RUN_APIS: Mapping[RunApiName, RunApi] = {
    "responses": responses,
    "assistants": assistants,
    "agents": agents,
}


def get_run_api(name: RunApiName) -> RunApi:
    """The run API of that name."""
    return _RUN_APIS[name]
