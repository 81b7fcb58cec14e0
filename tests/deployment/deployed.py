"""A copy of the project whose commands lead to an engine, and the servers around it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from deployment.callback_receiver import CallbackReceiver
from deployment.engine import REGION, Engine
from deployment.operator_shell import OperatorShell
from deployment.settings_file import SettingsFile

from local.openai_emulator.server import Emulator

SECONDS = 120
"""How long a run may take: each function starts cold, on a machine that is busy."""

YES = "y\n" * 9


@dataclass(frozen=True)
class Deployment:
    """What all tests of a deployment share."""

    engine: Engine
    emulator: Emulator
    callbacks: CallbackReceiver
    shell: OperatorShell
    settings: SettingsFile
    outputs: dict[str, str] = field(default_factory=dict)
    """Of the stack, kept from when they were read first: some commands come after its removal."""

    def client(self, service: str) -> Any:
        """An SDK client of the account's root user."""
        environment = self.engine.environment
        client: Any = boto3.client  # its overloads name each service
        return client(
            service,
            endpoint_url=self.engine.url,
            region_name=REGION,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            verify=str(self.engine.authorities),
        )

    def succeed(self, command: str, answers: str = YES) -> str:
        """Run a command that must succeed, and return what it printed."""
        result = self.shell.run(command, answers=answers)
        assert result.code == 0, f"{command}: {result.output[-4000:]}"
        return result.output

    def fail(self, command: str) -> str:
        """Run a command that must fail, and return what it printed."""
        result = self.shell.run(command, answers=YES)
        assert result.code > 0, f"{command}: {result.output[-4000:]}"
        return result.output

    def output(self, name: str) -> str:
        """An output of the stack."""
        if name not in self.outputs:
            self.outputs.update({each["OutputKey"]: each["OutputValue"] for each in self._stack()["Outputs"]})
        return self.outputs[name]

    def parameters(self) -> dict[str, str]:
        """The parameters of the stack."""
        return {each["ParameterKey"]: each["ParameterValue"] for each in self._stack()["Parameters"]}

    def _stack(self) -> dict[str, Any]:
        stacks: list[dict[str, Any]] = self.client("cloudformation").describe_stacks(StackName="upcall")[
            "Stacks"
        ]
        return stacks[0]


def wait_for(find: Callable[[], Any]) -> Any:
    """What `find` returns as soon as it is neither None nor empty."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)
    return found
