"""What an application does without Upcall: the loops of OpenAI's documentation and of its SDK.

Each takes a model of the emulator, makes one run of it, and returns the run's message.
"""

import json
import time
from typing import TYPE_CHECKING

from openai import OpenAI
from openai.types.responses import Response

if TYPE_CHECKING:
    from openai.types.beta import FunctionToolParam
    from openai.types.responses import FunctionToolParam as ResponsesToolParam
    from openai.types.responses.response_input_param import FunctionCallOutput

PROMPT = "Summarise the page."
SCHEMA: dict[str, object] = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}
OUTPUT = json.dumps({"title": "Tides", "text": "Tides follow the moon."})
POLL_SECONDS = 1.0
"""As in https://platform.openai.com/docs/guides/background."""


def run_responses_loop(client: OpenAI, model: str) -> str:
    """The Responses API in background mode, polled every second."""
    tools: list[ResponsesToolParam] = [
        {"type": "function", "name": "fetch", "parameters": SCHEMA, "strict": False}
    ]
    response = client.responses.create(model=model, input=PROMPT, tools=tools, background=True)
    while calls := _calls(response := _wait(client, response)):
        outputs: list[FunctionCallOutput] = [
            {"type": "function_call_output", "call_id": call_id, "output": OUTPUT} for call_id in calls
        ]
        response = client.responses.create(
            model=model, previous_response_id=response.id, input=[*outputs], tools=tools, background=True
        )
    return response.output_text


def run_create_and_poll(client: OpenAI, model: str) -> str:
    """The Assistants API with `create_and_poll`, which polls every second if the server names no interval."""
    tool: FunctionToolParam = {"type": "function", "function": {"name": "fetch", "parameters": SCHEMA}}
    assistant = client.beta.assistants.create(model=model, tools=[tool])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": PROMPT}])
    runs = client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    while run.required_action is not None:
        calls = run.required_action.submit_tool_outputs.tool_calls
        run = runs.submit_tool_outputs_and_poll(
            run_id=run.id,
            thread_id=thread.id,
            tool_outputs=[{"tool_call_id": call.id, "output": OUTPUT} for call in calls],
        )
    message = client.beta.threads.messages.list(thread.id, limit=1).data[0]
    return "".join(part.text.value for part in message.content if part.type == "text")


def _wait(client: OpenAI, response: Response) -> Response:
    while response.status in ("queued", "in_progress"):
        time.sleep(POLL_SECONDS)
        response = client.responses.retrieve(response.id)
    return response


def _calls(response: Response) -> list[str]:
    return [item.call_id for item in response.output if item.type == "function_call"]
