"""Runs with planted values in everything that must not be logged: `python -m support.runs_with_planted_secrets FOLDER`.

A separate program, because what its process prints belongs to its functions alone. Packages believe that they run on
Lambda: whatever they log from INFO on is printed, unless the code of the functions prevents it. The folder gets
`functions.log`, and `results.json` with the results of the runs.
"""

import base64
import json
import logging
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

API_KEY = "sk-planted-apikey-5ca1ab1e"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"planted webhook secret, long enough").decode()
TRACE_HEADER = "planted-trace-header-7ace"
OWN_CALLBACK_SECRET = "whsec_" + base64.b64encode(b"planted callback secret, long enough").decode()
WEBHOOK_TOKEN = "planted-webhook-token-4b1d"  # noqa: S105
CALLBACK_TOKEN = "planted-callback-token-0ff1ce"  # noqa: S105
PROMPT = "planted-prompt-7ea5e7"
METADATA = "planted-metadata-f00d"
ARGUMENT = "planted-argument-c0ffee"
PAGE = "planted-page-deadbeef"
MESSAGE = "planted-message-facade"
SERVER = "planted-message-of-the-server-bada55"
BODY = "planted-body-d00d"
REASON = "planted-reason-of-a-decision-feed"
OUTPUT = "planted-output-of-the-caller-beef"
CRASH = "planted-message-of-a-crash-abad1dea"

PLANTED = {name: value for name, value in globals().items() if name.isupper() and name != "PLANTED"}
"""The planted values by their names."""

RAISING_ARGUMENT = f"{ARGUMENT} that makes a tool raise"
PDF = f"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages /{PAGE} >>\nendobj\ntrailer << /Root 1 0 R /{PAGE} 9 >>\n"


def main(folder: Path) -> None:
    """Run everything and write the results."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:1"  # before anything of Upcall is imported

    import boto3
    from werkzeug.wrappers import Response

    from support.canned_server import canned_server
    from support.event_listener import EventListener
    from support.fast_stack import fast_stack
    from support.function_changes import function_changes
    from support.runs import Runs
    from support.waiting import wait_until

    page = (
        f"<html><title>{PAGE}</title><p>{PAGE} is the subject of this page, from beginning to end.</p></html>"
    )
    with (
        canned_server(Response(page, content_type="text/html")) as pages,
        canned_server(Response(PDF, content_type="application/pdf")) as pdfs,
        canned_server(Response(status=204), Response(SERVER, 500)) as webhooks,
        canned_server(*_answers_to_traces()) as collector,
        fast_stack(
            folder,
            openai_api_key=API_KEY,
            parameters={
                "WebhookUrl": f"{webhooks.url}/services/{WEBHOOK_TOKEN}",
                "CallbackSecretName": "own-callback-secret",
                "OtlpEndpoint": collector.url,
                "OtlpHeadersSecretName": "trace-headers",
                "TraceContent": "yes",
            },
        ) as stack,
        function_changes(stack, "FetchFunction", exempt_hosts=(pages.host, pdfs.host)),
        EventListener(stack.deployed.bus) as listener,
        Runs(stack, listener) as runs,
    ):
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name="own-callback-secret", SecretString=OWN_CALLBACK_SECRET)
        secrets.create_secret(Name="upcall/webhook-secret", SecretString=WEBHOOK_SECRET)
        secrets.create_secret(Name="trace-headers", SecretString=f"api-key={TRACE_HEADER}")
        scenarios = _Scenarios(stack, runs, pages.url, pdfs.url, webhooks)
        results = scenarios.run_all()
        results["posted"] = len(webhooks.requests)
        wait_until(lambda: len(collector.requests) > 4, "traces")
        results["traces"] = [request.headers["Api-Key"] for request in collector.requests]
        run_id = results["waited"]["run_id"]
        results["events of calls"] = listener.published_call_events(run_id)
        results["messages about calls"] = list(scenarios.messages_about_calls().values())
    (folder / "results.json").write_text(json.dumps(results), "utf-8")


def _answers_to_traces() -> list[Any]:
    """One that rejects a span, one for later, one that rejects all, and one that accepts all."""
    from werkzeug.wrappers import Response

    partial = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": SERVER}}
    return [Response(json.dumps(partial)), Response(SERVER, 503), Response(SERVER, 400), Response("{}")]


class _Scenarios:
    def __init__(self, stack: Any, runs: Any, page_url: str, pdf_url: str, webhooks: Any) -> None:
        self._stack, self._runs = stack, runs
        self._page_url, self._pdf_url, self._webhooks = page_url, pdf_url, webhooks
        self._callback_url = f"{webhooks.url}/callbacks/{CALLBACK_TOKEN}"

    def messages_about_calls(self) -> dict[str, Any]:
        """What was posted about calls that wait, to callers and to the operator: the last message of each type."""
        messages = [request.json for request in self._webhooks.requests]
        return {each["type"]: each for each in messages if each["type"].endswith("_requested")}

    def run_all(self) -> dict[str, Any]:
        """The result of each scenario by its name."""
        from local.openai_emulator import Call, CallTools, Fail, Fault, Say

        fetch = Call.of("fetch", url=f"{self._page_url}/?q={ARGUMENT}")
        slow = Say(MESSAGE, after_seconds=0.5)  # so that a poll finds it working first
        error = json.dumps({"error": {"message": f"{SERVER} {PROMPT} {API_KEY}", "code": SERVER}})
        results = {
            "completed": self._run(CallTools((fetch,)), slow),
            "tool errors": self._run(
                CallTools(
                    (
                        Call.of("fetch", url=f"http://{ARGUMENT}.invalid/{ARGUMENT}"),
                        Call.of("fetch", url=f"http://10.0.0.1/{ARGUMENT}"),
                        Call.of("fetch", url=f"{self._pdf_url}/{ARGUMENT}"),
                        Call.of("fetch", url=f"{self._page_url}/{ARGUMENT}", **{ARGUMENT: 1}),
                        Call.of("read_object", key=ARGUMENT),
                        Call("fetch", f'{{"url": {ARGUMENT}'),
                        Call(ARGUMENT, "{}"),
                    )
                ),
                Say(MESSAGE),
            ),
            "notified": self._run(
                CallTools((Call.of("notify", message=ARGUMENT), Call.of("notify", message=ARGUMENT))),
                Say(MESSAGE),
                assistant="messenger",
            ),
            "failed": self._run(Fail("invalid_prompt", f"{SERVER} {PROMPT}")),
            "transient failure": self._run(Say(MESSAGE), faults=[Fault("poll", 503, body=error)]),
            "transient failure of a task": self._run(
                slow, faults=[Fault("poll", 400, body=error), Fault("cancel", 503, body=error)]
            ),
        }
        results["waited"] = self._run_with_answers()
        for operation in ("create", "poll", "submit"):
            fault = Fault(operation, 400, body=error)
            results[f"rejected {operation}"] = self._run(CallTools((fetch,)), Say(MESSAGE), faults=[fault])
        results["invalid requests"] = self._send_invalid_requests()
        self._deliver_invalid_messages()
        self._crash()
        return results

    def _run_with_answers(self) -> Any:
        """A run that waits for people and for its caller. Some of the answers are rejected."""
        from local.openai_emulator import Call, CallTools, Say
        from support.open_calls import LOOKUP_TOOL
        from support.waiting import wait_until

        tool = {**LOOKUP_TOOL, "description": f"Looks up {BODY}."}
        notify, lookup = Call.of("notify", message=ARGUMENT), Call.of("lookup", order=ARGUMENT)
        run_id = self._runs.start_script(
            CallTools((notify, notify, lookup, lookup)),
            Say(MESSAGE),
            prompt=PROMPT,
            assistant="announcer",
            tools=[tool],
            metadata={"note": METADATA},
            callback_url=self._callback_url,
        )
        first, second, *lookups = self._runs.wait_for_open_calls(run_id, 4)
        wait_until(lambda: len(self.messages_about_calls()) == 3, "the messages about calls that wait")
        self._runs.decide(run_id, first, arguments_digest="0" * 64, reason=REASON)
        self._runs.decide(run_id, first, reason=[REASON])
        self._runs.decide(run_id, first, reason=REASON)
        self._runs.decide(run_id, first, "deny", reason=REASON)
        self._runs.decide(run_id, second, "deny", reason=REASON)
        self._runs.give_outputs(run_id, {OUTPUT: OUTPUT})
        self._runs.give_outputs(run_id, {lookups[0]["id"]: OUTPUT * 100_000})
        self._runs.give_outputs(run_id, {call["id"]: OUTPUT for call in lookups})
        self._runs.give_outputs(run_id, {lookups[0]["id"]: f"{OUTPUT} once more"})
        run = self._runs.wait_for_end(run_id).run
        outputs = [call["output"]["output"] for call in self._runs.list_calls(run_id)]
        assert REASON in outputs[1], outputs
        assert outputs[2:] == [OUTPUT, OUTPUT]
        return {"status": run["status"], "calls": run["tool_calls"], "run_id": run_id}

    def _run(self, *steps: Any, faults: Any = (), **fields: Any) -> Any:
        ended = self._runs.run_script(
            *steps,
            prompt=PROMPT,
            faults=faults,
            metadata={"note": METADATA},
            callback_url=self._callback_url,
            **fields,
        )
        run = ended.run
        return {"status": run["status"], "failure": run.get("failure"), "calls": run["tool_calls"]}

    def _send_invalid_requests(self) -> list[int]:
        bodies = (
            f"not JSON: {BODY}",
            json.dumps({"prompt": PROMPT, BODY: BODY}),
            json.dumps({"prompt": [BODY]}),
            json.dumps({"prompt": PROMPT, "assistant": BODY}),
            json.dumps({"prompt": PROMPT, "callback_url": f"ftp://{BODY}/"}),
        )
        paths = (f"/runs/{BODY}", f"/runs/{BODY}/calls", f"/runs?cursor={BODY}", f"/{BODY}")
        responses = [self._runs.post(body) for body in bodies] + [self._runs.http.get(path) for path in paths]
        return [response.status_code for response in responses]

    def _deliver_invalid_messages(self) -> None:
        """To each function that a queue feeds: messages that it cannot parse, and one on which it fails."""
        from support.sample_events import sample_batch

        bodies = (BODY, json.dumps({"detail": {BODY: BODY}}), json.dumps({"detail-type": BODY}))
        for handler in ("start_run_from_event", "close_run", "deliver_callback", "export_trace"):
            for body in bodies:
                self._invoke(_function_id(handler), sample_batch(handler, body))
        from handlers.start_run_from_event import lambda_handler

        with self._invalid_workflow("StartRunFromEventFunction"):
            event = sample_batch("start_run_from_event", json.dumps({"prompt": PROMPT}))
            result = lambda_handler(event, None)  # type: ignore[arg-type]
        assert result["batchItemFailures"]

    def _crash(self) -> None:
        """Unexpected errors: in a task of the workflow, in a route, in a tool."""
        from support.sample_events import sample_event

        self._invoke("CreateRunFunction", {"run_id": "run_x", "prompt": CRASH})
        self._invoke("PollRunFunction", sample_event("poll_run", run_id="run_x", upstream_run=CRASH))
        upstream_run = {"run_api": "responses", "ids": {CRASH: CRASH}}
        self._invoke("PollRunFunction", sample_event("poll_run", run_id="run_x", upstream_run=upstream_run))
        from handlers import start_run

        request = sample_event("start_run", body=json.dumps({"prompt": PROMPT}))
        with self._invalid_workflow("StartRunFunction"):
            response: Any = start_run.lambda_handler(request, None)  # type: ignore[arg-type]
        assert response["statusCode"] == 500, response

        from upcall.tool import tool

        def sulk(mood: str) -> str:
            """Raise."""
            raise RuntimeError(f"{CRASH} {mood}")

        arguments = json.dumps({"mood": RAISING_ARGUMENT})
        call = {
            "run_id": "run_x",
            "round": 1,
            "position": 1,
            "call_id": "call_x",
            "max_output_bytes": 2000,
            "arguments": arguments,
        }
        tool(sulk)(call)

    def _invalid_workflow(self, function: str) -> AbstractContextManager[None]:
        """The environment of a function in which no workflow can be started."""
        from local.lambda_runtime import function_environment

        environment = self._stack.deployed.functions[function].environment
        return function_environment({**environment, "STATE_MACHINE_ARN": f"{CRASH} is not an ARN"})

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        self._stack.runner.invoke(self._stack.deployed.functions[function].name, json.dumps(event))


def _function_id(handler: str) -> str:
    return f"{handler.title().replace('_', '')}Function"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
