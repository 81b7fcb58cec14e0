"""The laptop cloud: deploys `template.yaml` on moto and puts real HTTP servers around it.

moto keeps its state in the process, so a process has one laptop cloud at a time.
"""

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from moto.moto_server.werkzeug_app import create_backend_app

from local import sample_pages
from local.api_gateway import HttpApi
from local.cloudformation import Stack
from local.config import (
    AWS_ENVIRONMENT,
    CALLBACK_SECRET,
    CALLBACK_SECRET_NAME,
    Endpoints,
    Profile,
    aws_environment,
)
from local.event_source_mapping import EventSourceMapping
from local.http_server import HttpServer, PortTaken
from local.lambda_runtime import FunctionRunner
from local.moto_patches import integration, speed
from local.openai_emulator import Emulator
from local.table_file import Snapshot
from local.template import Template
from upcall.observability.logging import SERVICE, PackageLogHandler

CALLBACK_HOSTS = ("127.0.0.1:*", "localhost:*")
"""Where callbacks of a local stack may go."""

SWITCH_INTERVAL_SECONDS = 0.001
"""Threads of AWS and of the API share one interpreter: at a fifth of Python's default interval a POST
is answered in less than half the time while workflows run."""


class LocalStack:
    """The stack, running until it is stopped; a context manager that saves the table as it ends."""

    def __init__(self, profile: Profile) -> None:
        self._ends = ExitStack()
        try:
            self._start(profile)
        except BaseException:
            self._ends.close()
            raise

    def _start(self, profile: Profile) -> None:
        profile.state_folder.mkdir(parents=True, exist_ok=True)
        self._also_on = profile.also_on
        self._ends.enter_context(aws_environment(AWS_ENVIRONMENT))
        self._ends.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)

        try:
            pages_server = self._serve(sample_pages.app(), profile.pages_port)
        except PortTaken:  # nothing depends on where the samples are: any port will do
            pages_server = self._serve(sample_pages.app(), 0)
        self.emulator = Emulator(
            thinking_seconds=profile.thinking_seconds,
            poll_after_ms=profile.poll_after_ms,
            port=profile.openai_port,
            also_on=profile.also_on,
            first_turn=profile.first_turn,
            faulty_share=profile.faulty_share,
            seed=profile.seed,
        )
        self._ends.callback(self.emulator.stop)
        self._memory = profile.state_folder / "emulator.pickle"
        self.emulator.load(self._memory)
        openai_base_url = profile.openai_base_url or self.emulator.base_url

        integration.execute_workflows()
        speed.parse_workflows_once()
        speed.keep_clients()
        speed.read_partitions()
        integration.tell_of_ended_executions()
        integration.read_and_write_one_after_the_other()
        moto = self._serve(speed.Dispatcher(create_backend_app), profile.aws_port)
        os.environ["AWS_ENDPOINT_URL"] = moto.url
        os.environ["MOTO_PORT"] = moto.url.rpartition(":")[2]  # where moto's tasks call back

        template = Template()
        self.stack = Stack(
            template,
            parameters={
                "OpenAIBaseUrl": openai_base_url,
                "Tenancy": "one",
                "CallbackSecretName": CALLBACK_SECRET_NAME,
                "AwsEndpointUrl": moto.url,
                **profile.parameters,
            },
            secrets={
                template.parameter_default("OpenAISecretName"): profile.openai_api_key,
                CALLBACK_SECRET_NAME: CALLBACK_SECRET,
            },
            environment=AWS_ENVIRONMENT,
            exempt_hosts={
                "FetchFunction": (pages_server.host,),
                "StartRunFunction": CALLBACK_HOSTS,
                "StartRunFromEventFunction": CALLBACK_HOSTS,
                "DeliverCallbackFunction": CALLBACK_HOSTS,
            },
        )
        log = self._log_to(profile.state_folder / "functions.log", profile.state_folder / "servers.log")
        self.runner = FunctionRunner({each.name: each for each in self.stack.functions.values()}, log)
        integration.invoke_with(self.runner)
        for mapping in template.queue_mappings():
            function = self.stack.functions[mapping.function].name
            poller = EventSourceMapping(
                self.stack.physical[mapping.queue], function, mapping.batch, self.runner
            )
            self._ends.callback(poller.stop)
        names = {logical: each.name for logical, each in self.stack.functions.items()}
        api = self._serve(HttpApi(template.routes(), names, self.runner), profile.api_port)

        self.addresses = Endpoints(
            api=api.url,
            aws=moto.url,
            pages=pages_server.url,
            openai=openai_base_url,
            emulated=profile.openai_base_url is None,
            table=self.stack.table,
            state_machine=self.stack.state_machine,
            bus=self.stack.bus,
            inbox=self.stack.inbox,
            request_queue=self.stack.request_queue,
            dead_letter_queue=self.stack.dead_letter_queue,
        )
        self._snapshot = Snapshot(profile.state_folder / "table.jsonl")
        self._snapshot.load(self.stack.dynamodb, self.stack.table)
        self._ends.callback(self.save)

    def save(self) -> None:
        """Write the table, and what the emulator remembers, to their files now."""
        if self._snapshot.save(self.stack.dynamodb, self.stack.table):
            self.emulator.save(self._memory)

    def stop(self) -> None:
        """Save the table and free the ports."""
        self._ends.close()

    def _log_to(self, functions: Path, servers: Path) -> TextIO:
        """Have files for what would be on the terminal: what functions log, and what stands for AWS."""
        moto = logging.FileHandler(servers, encoding="utf-8")
        self._ends.callback(moto.close)
        for name in ("moto", "werkzeug"):
            logger = logging.getLogger(name)
            logger.handlers = [moto]
            logger.propagate = False
        file = functions.open("a", encoding="utf-8")
        self._ends.callback(file.close)
        for powertools in logging.getLogger(SERVICE).handlers:
            if isinstance(powertools, logging.StreamHandler):
                self._ends.callback(powertools.setStream, powertools.setStream(file))
        packages = PackageLogHandler()
        logging.getLogger().addHandler(packages)
        self._ends.callback(logging.getLogger().removeHandler, packages)
        return file

    def _serve(self, app: Any, port: int) -> HttpServer:
        server = HttpServer(app, port, self._also_on)
        self._ends.callback(server.stop)
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
