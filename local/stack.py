"""The local stack: `template.yaml` deployed on moto, with HTTP servers for the API, AWS and OpenAI.

moto keeps its state in the process. A process has one local stack.
"""

import gc
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import boto3
from botocore.config import Config
from moto.core.models import DEFAULT_ACCOUNT_ID

from local import dynamodb, message_file, sample_pages
from local.api_gateway import HttpApi
from local.bucket_folder import BucketFolder
from local.cloudformation import DeployedTemplate
from local.config import (
    AWS_ENVIRONMENT,
    CALLBACK_SECRET,
    CALLBACK_SECRET_NAME,
    FUNCTION_LOG,
    MESSAGE_FILE,
    Endpoints,
    LocalStackConfig,
    aws_environment,
)
from local.event_source_mapping import EventSourceMapping
from local.http_server import HttpServer, PortInUse
from local.lambda_runtime import FunctionRunner
from local.moto_patches import (
    caches,
    distributed_map,
    in_process,
    integration,
    jsonata,
    memory,
    speed,
    startup,
)
from local.openai_emulator import Emulator
from local.openai_emulator.rate_limits import DEFAULT_REQUESTS_PER_MINUTE
from local.table_file import TableFile
from local.template import QueueMapping, Template
from upcall.observability.logging import SERVICE, PackageLogHandler

CALLBACK_HOSTS = ("127.0.0.1:*", "localhost:*")
"""Callbacks may be delivered to servers on loopback."""

SWITCH_INTERVAL_SECONDS = 0.001
"""Servers and functions are threads of one interpreter. At a fifth of Python's default interval, a POST is
answered in less than half the time while workflows run."""


GC_THRESHOLD = 100_000
"""Objects that are made before Python searches for cycles. Most objects of a local stack live as long as it
does. At the default of 700, a quarter of the time until the end of the first run goes into searching them."""


class LocalStack:
    """A running stack. As a context manager, it stops at the end."""

    def __init__(self, config: LocalStackConfig) -> None:
        self._config = config
        self._cleanup = ExitStack()
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise

    def save(self) -> None:
        """Write changed items of the table, objects of batches and the state of the emulator to files."""
        self._bucket_folder.save()
        changed = dynamodb.read_changed_items(self.deployed.table)
        try:
            has_changed = self._table_file.save(changed)
        except OSError:
            dynamodb.mark_changed(self.deployed.table, changed)
            raise
        if has_changed:
            self.emulator.save(self._emulator_file)

    def stop(self) -> None:
        """Save, stop all servers and free their ports."""
        self._cleanup.close()

    def _start(self) -> None:
        config = self._config
        config.state_folder.mkdir(parents=True, exist_ok=True)
        self._cleanup.enter_context(aws_environment(AWS_ENVIRONMENT))
        self._cleanup.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        self._cleanup.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        # otherwise Python searches all objects for cycles when the process ends
        self._cleanup.callback(gc.freeze)

        pages = self._serve_pages()
        self.emulator = self._start_emulator()
        openai_base_url = config.openai_base_url or self.emulator.base_url
        moto = self._serve_moto()

        template = Template()
        self.deployed = DeployedTemplate(
            template,
            parameters={
                "OpenAIBaseUrl": openai_base_url,
                "Tenancy": "one",
                "CallbackSecretName": CALLBACK_SECRET_NAME,
                **self._take_messages(),
                **config.parameters,
            },
            secrets={
                template.parameter_default("OpenAISecretName"): config.openai_api_key,
                CALLBACK_SECRET_NAME: CALLBACK_SECRET,
            },
            environment={**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": moto.url},
            exempt_hosts={
                "FetchFunction": (pages.host,),
                "StartRunFunction": CALLBACK_HOSTS,
                "StartRunFromEventFunction": CALLBACK_HOSTS,
                "DeliverCallbackFunction": CALLBACK_HOSTS,
            },
        )
        self.runner = self._start_functions(template)
        names = {logical_id: each.name for logical_id, each in self.deployed.functions.items()}
        routes = [route for route in template.routes() if route.function in names]
        cors = template.cors(config.parameters.get("CorsOrigins", ""))
        api = self._serve(HttpApi(routes, names, self.runner, cors), config.api_port)

        self._register_webhooks(api.url)

        self.endpoints = Endpoints(
            api=api.url,
            aws=moto.url,
            pages=pages.url,
            openai=openai_base_url,
            emulated=config.openai_base_url is None,
            table=self.deployed.table,
            state_machine=self.deployed.state_machine,
            batch_state_machine=self.deployed.batch_state_machine,
            bus=self.deployed.bus,
            inbox=self.deployed.inbox,
            batch_bucket=self.deployed.batch_bucket,
            request_queue=self.deployed.request_queue,
            dead_letter_queue=self.deployed.dead_letter_queue,
        )
        self._table_file = TableFile(config.state_folder / "table.jsonl")
        dynamodb.put_items(self.deployed.table, self._table_file.load())
        self._bucket_folder = BucketFolder(config.state_folder / "bucket", self.deployed.batch_bucket)
        self._bucket_folder.load()
        self._cleanup.callback(self.save)

    def _take_messages(self) -> dict[str, str]:
        """Serve the operator's webhook, if the configuration says so. Returns the parameters for it."""
        if not self._config.takes_messages:
            return {}
        server = self._serve(message_file.create_app(self._config.state_folder / MESSAGE_FILE), 0)
        return {"WebhookUrl": f"{server.url}/", "WebhookSecretName": CALLBACK_SECRET_NAME}

    def _register_webhooks(self, api_url: str) -> None:
        """Let the emulator send webhooks to the API, if the template has a secret for them."""
        name = self._config.parameters.get("OpenAIWebhookSecretName")
        if name and self._config.openai_base_url is None:
            secret = self.emulator.webhooks.register(f"{api_url}/webhooks/openai")
            boto3.client("secretsmanager").create_secret(Name=name, SecretString=secret)

    def _serve_pages(self) -> HttpServer:
        app = sample_pages.create_app()
        try:
            return self._serve(app, self._config.pages_port)
        except PortInUse:  # the port does not matter, because every URL of a page is made with it
            return self._serve(app, 0)

    def _start_emulator(self) -> Emulator:
        config = self._config
        emulator = Emulator(
            model_seconds=config.model_seconds,
            poll_after_ms=config.poll_after_ms,
            port=config.openai_port,
            extra_addresses=config.extra_addresses,
            first_turn=config.first_turn,
            fault_rate=config.fault_rate,
            seed=config.seed,
            webhook_faults=config.webhook_faults,
            requests_per_minute=config.requests_per_minute or DEFAULT_REQUESTS_PER_MINUTE,
            tokens_per_minute=config.tokens_per_minute,
        )
        self._cleanup.callback(emulator.stop)
        self._emulator_file = config.state_folder / "emulator.pickle"
        emulator.load(self._emulator_file)
        return emulator

    def _serve_moto(self) -> HttpServer:
        integration.execute_workflows()
        integration.publish_execution_events()
        integration.make_operation_models_in_one_step()
        integration.report_failures_of_the_lambda_api()
        integration.enter_a_state_again_after_its_error()
        integration.stop_tasks_that_wait_for_their_token()
        distributed_map.run_items_in_a_loop()
        distributed_map.fail_with_the_first_item()
        distributed_map.keep_no_history_of_items()
        dynamodb.serialize_requests()
        dynamodb.track_changes()
        jsonata.bind_variables()
        caches.cache_action_names()
        caches.cache_member_names()
        caches.cache_node_texts()
        caches.cache_string_literals()
        caches.cache_paths_of_events()
        speed.cache_parsed_workflows()
        speed.share_task_clients()
        speed.query_one_partition()
        speed.back_up_items_of_transactions()
        memory.keep_no_list_of_instances()
        memory.free_ended_executions()
        startup.parse_json_templates()
        startup.share_service_models()
        dispatcher = speed.Dispatcher()
        server = self._serve(dispatcher, self._config.aws_port)
        self._cleanup.enter_context(in_process.requests_in_process(server.host, dispatcher))
        os.environ["AWS_ENDPOINT_URL"] = server.url
        os.environ["MOTO_PORT"] = server.url.rpartition(":")[2]  # the tasks of moto's workflows read it
        return server

    def _start_functions(self, template: Template) -> FunctionRunner:
        folder = self._config.state_folder
        log = self._open_logs(functions=folder / FUNCTION_LOG, servers=folder / "servers.log")
        runner = FunctionRunner({each.name: each for each in self.deployed.functions.values()}, log)
        integration.invoke_functions_with(runner)
        sqs = boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))
        for mapping in template.queue_mappings():
            queue_url = self.deployed.physical_ids[mapping.queue]
            function = self.deployed.functions[mapping.function].name
            poller = EventSourceMapping(
                sqs,
                queue_url,
                function,
                mapping.batch,
                runner,
                self._is_enabled(function, queue_url, mapping),
            )
            self._cleanup.callback(poller.stop)
        return runner

    def _is_enabled(self, function: str, queue_url: str, mapping: QueueMapping) -> Callable[[], bool]:
        """Register a mapping with Lambda's API, which may disable it."""
        queue_arn = (
            f"arn:aws:sqs:{AWS_ENVIRONMENT['AWS_REGION']}:{DEFAULT_ACCOUNT_ID}:{queue_url.rpartition('/')[2]}"
        )
        registered = integration.add_event_source_mapping(function, queue_arn, mapping.batch)
        return lambda: bool(registered.enabled)

    def _open_logs(self, functions: Path, servers: Path) -> TextIO:
        """Write the logs of functions, moto and the servers to files instead of the terminal."""
        server_log = logging.FileHandler(servers, encoding="utf-8")
        self._cleanup.callback(server_log.close)
        for name in ("moto", "werkzeug"):
            logger = logging.getLogger(name)
            logger.handlers = [server_log]
            logger.propagate = False
        function_log = functions.open("a", encoding="utf-8")
        self._cleanup.callback(function_log.close)
        for powertools in logging.getLogger(SERVICE).handlers:
            if isinstance(powertools, logging.StreamHandler):
                self._cleanup.callback(powertools.setStream, powertools.setStream(function_log))
        packages = PackageLogHandler()
        logging.getLogger().addHandler(packages)
        self._cleanup.callback(logging.getLogger().removeHandler, packages)
        return function_log

    def _serve(self, app: Any, port: int) -> HttpServer:
        server = HttpServer(app, port, self._config.extra_addresses)
        self._cleanup.callback(server.stop)
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
