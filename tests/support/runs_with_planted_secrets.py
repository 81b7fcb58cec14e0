"""Whole runs with planted words in everything that must not be logged. A program: its process is all functions'.

It makes its process look to packages as Lambda's runtime does: what they log from INFO on is printed, unless
the code of the functions prevents it. What it prints is its functions' then, and so is the file
`functions.log` in the folder that it is given. How the runs ended is in `ended.json` beside it.
"""

import base64
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

API_KEY = "sk-planted-apikey-5ca1ab1e"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"planted webhook secret, long enough").decode()
OWN_CALLBACK_SECRET = "whsec_" + base64.b64encode(b"planted callback secret, long enough").decode()
WEBHOOK_TOKEN = "planted-webhook-token-4b1d"  # noqa: S105
CALLBACK_TOKEN = "planted-callback-token-0ff1ce"  # noqa: S105
PROMPT = "planted-prompt-7ea5e7"
METADATA = "planted-metadata-f00d"
ARGUMENT = "planted-argument-c0ffee"
PAGE = "planted-page-deadbeef"
MESSAGE = "planted-message-facade"
SERVER = "planted-words-of-the-server-bada55"
BODY = "planted-body-d00d"
CRASH = "planted-words-of-a-crash-abad1dea"

WORDS = {name: value for name, value in globals().items() if name.isupper() and name != "WORDS"}

RAISING = "planted-argument-c0ffee that makes a tool raise"
PDF = f"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages /{PAGE} >>\nendobj\ntrailer << /Root 1 0 R /{PAGE} 9 >>\n"


def main(folder: Path) -> None:
    """Do all runs."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:1"

    import boto3
    from werkzeug.wrappers import Response

    from local.config import Profile
    from local.stack import LocalStack
    from support.canned_server import canned

    page = f"<html><title>{PAGE}</title><p>{PAGE} is what this page is about, from begin to end.</p></html>"
    with (
        canned(Response(page, content_type="text/html")) as pages,
        canned(Response(PDF, content_type="application/pdf")) as pdfs,
        canned(Response(status=204), Response(SERVER, 500)) as hooks,
    ):
        profile = Profile(
            state_folder=folder,
            openai_api_key=API_KEY,
            thinking_seconds=0.02,
            poll_after_ms=20,
            parameters={
                "PollWindowSeconds": "3",
                "FetchLocalHosts": f"{pages.host}, {pdfs.host}",
                "WebhookUrl": f"{hooks.url}/services/{WEBHOOK_TOKEN}",
                "CallbackSecretName": "own-callback-secret",
            },
        )
        with LocalStack(profile) as cloud:
            secrets = boto3.client("secretsmanager")
            secrets.create_secret(Name="own-callback-secret", SecretString=OWN_CALLBACK_SECRET)
            secrets.create_secret(Name="upcall/webhook-secret", SecretString=WEBHOOK_SECRET)
            ended = _Scenes(cloud, pages.url, pdfs.url, hooks.url).all()
            ended["hooked"] = len(hooks.asked)
    (folder / "ended.json").write_text(json.dumps(ended), "utf-8")


class _Scenes:
    def __init__(self, cloud: Any, page: str, pdf: str, hook: str) -> None:
        from support.runs import Runs

        self._cloud, self._page, self._pdf, self._hook = cloud, page, pdf, hook
        self._runs = Runs(cloud)
        self._callback = f"{hook}/callbacks/{CALLBACK_TOKEN}"

    def all(self) -> dict[str, Any]:
        """Every scene; how each ended."""
        from local.openai_emulator import (
            Call,
            CallTools,
            Fail,
            Fault,
            Say,
        )

        fetch = Call.of("fetch", url=f"{self._page}/?q={ARGUMENT}")
        slow = Say(MESSAGE, after_seconds=0.5)  # so that a poll sees it at work first
        refusal = json.dumps({"error": {"message": f"{SERVER} {PROMPT} {API_KEY}", "code": SERVER}})
        ended = {
            "completed": self._run(CallTools((fetch,)), slow),
            "tool errors": self._run(
                CallTools(
                    (
                        Call.of("fetch", url=f"http://{ARGUMENT}.invalid/{ARGUMENT}"),
                        Call.of("fetch", url=f"http://10.0.0.1/{ARGUMENT}"),
                        Call.of("fetch", url=f"{self._pdf}/{ARGUMENT}"),
                        Call.of("fetch", url=f"{self._page}/{ARGUMENT}", **{ARGUMENT: 1}),
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
            "failed": self._run(Fail("server_error", f"{SERVER} {PROMPT}")),
            "weather": self._run(Say(MESSAGE), faults=[Fault("poll", 503, body=refusal)]),
        }
        for operation in ("create", "poll", "submit"):
            fault = Fault(operation, 400, body=refusal)
            ended[f"refused {operation}"] = self._run(CallTools((fetch,)), Say(MESSAGE), faults=[fault])
        ended["bad request"] = self._bad_requests()
        self._bad_messages()
        self._crashes()
        return ended

    def _run(self, *steps: Any, faults: Any = (), **fields: Any) -> Any:
        model = self._cloud.emulator.brain.script(*steps, faults=faults)
        asked = {"metadata": {"note": METADATA}, "callback_url": self._callback, **fields}
        run = self._runs.run(PROMPT, model=model, **asked).run
        assert self._cloud.emulator.brain.unspent(model) == []
        return {"status": run["status"], "failure": run.get("failure"), "calls": run["tool_calls"]}

    def _bad_requests(self) -> list[int]:
        bodies = (
            f"not JSON: {BODY}",
            json.dumps({"prompt": PROMPT, BODY: BODY}),
            json.dumps({"prompt": [BODY]}),
            json.dumps({"prompt": PROMPT, "assistant": BODY}),
            json.dumps({"prompt": PROMPT, "callback_url": f"ftp://{BODY}/"}),
        )
        paths = (f"/runs/{BODY}", f"/runs/{BODY}/calls", f"/runs?cursor={BODY}", f"/{BODY}")
        answers = [self._runs.post(body) for body in bodies] + [self._runs.http.get(path) for path in paths]
        return [answer.status_code for answer in answers]

    def _bad_messages(self) -> None:
        """To each function that a queue feeds: what it cannot read, and what it breaks on."""
        for function in ("StartRunFromEventFunction", "CloseRunFunction", "CallBackFunction"):
            for body in (BODY, json.dumps({"detail": {BODY: BODY}}), json.dumps({"detail-type": BODY})):
                self._invoke(function, {"Records": [_record(body)]})
        from handlers.start_run_from_event import lambda_handler

        with self._broken("StartRunFromEventFunction"):
            answer = lambda_handler({"Records": [_record(json.dumps({"prompt": PROMPT}))]}, None)  # type: ignore[arg-type]
        assert answer["batchItemFailures"]

    def _crashes(self) -> None:
        """What nobody has thought of: in a step, behind a route, in a tool."""
        self._invoke("CreateRunFunction", {"run_id": "run_x", "prompt": CRASH})
        self._invoke("PollRunFunction", {"run_id": "run_x", "handle": CRASH, "seconds_left": 1})
        handle = {"run_api": "responses", "ids": {CRASH: CRASH}}
        self._invoke("PollRunFunction", {"run_id": "run_x", "handle": handle, "seconds_left": 1})
        from handlers import start_run
        from support.sample_events import sample

        request = sample("start_run", body=json.dumps({"prompt": PROMPT}))
        with self._broken("StartRunFunction"):
            answer: Any = start_run.lambda_handler(request, None)  # type: ignore[arg-type]
        assert answer["statusCode"] == 500, answer

        from upcall.tool import tool

        def sulk(mood: str) -> str:
            """Raise."""
            raise RuntimeError(f"{CRASH} {mood}")

        call = {"run_id": "run_x", "call_id": "call_x", "max_output_bytes": 2000}
        tool(sulk)({**call, "arguments": json.dumps({"mood": RAISING})})

    def _broken(self, function: str) -> Any:
        """The environment of a function, in which no workflow can be started."""
        from local.lambda_runtime import function_environment

        environment = self._cloud.stack.functions[function].environment
        return function_environment({**environment, "STATE_MACHINE_ARN": f"{CRASH} is no ARN"})

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        self._cloud.runner.invoke(self._cloud.stack.functions[function].name, json.dumps(event))


def _record(body: str) -> dict[str, Any]:
    now = str(round(time.time() * 1000))
    return {
        "messageId": "00000000-0000-0000-0000-000000000000",
        "receiptHandle": "none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
