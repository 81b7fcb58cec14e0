"""The OpenAI SDK without its models, and with them for whoever imports it later.

Each program runs in a process of its own, because the tests have imported the SDK as a whole.
"""

import subprocess
import sys

from support.canned_server import canned_server, json_response

REQUESTS = """
import sys
from httpx2 import Response
from upcall.run_apis.openai_sdk import APIError, APIStatusError, OpenAI

client = OpenAI(api_key="x", base_url=sys.argv[1], max_retries=0)
assert client.get("/found", cast_to=Response).json() == {"id": "resp_1"}
try:
    client.post("/refused", cast_to=Response, body={})
except APIStatusError as error:
    assert (error.status_code, error.code) == (400, "no"), error
else:
    raise AssertionError
"""

LOADED = """
print(len([name for name in sys.modules if name.startswith("openai.types")]))
assert "openai.types.responses" not in sys.modules
"""

SDK_AS_A_WHOLE = """
import openai
from openai.types.responses import Response as ResponseModel

assert openai.OpenAI is OpenAI
assert openai.APIStatusError is APIStatusError
assert issubclass(openai.NotFoundError, APIStatusError)
assert openai.types.responses.Response is ResponseModel
assert callable(openai.pydantic_function_tool)
assert openai.types.shared and openai._exceptions and openai.lib._tools
for name in list(sys.modules):
    package, _, child = name.rpartition(".")
    assert package not in ("openai", "openai.lib", "openai.types") or hasattr(sys.modules[package], child), name
openai_client = openai.OpenAI(api_key="x", base_url=sys.argv[1], max_retries=0)
assert openai_client.responses.retrieve("resp_1").id == "resp_1"
assert client.responses.retrieve("resp_1").id == "resp_1"
"""

WHOLE_SDK_FIRST = """
import openai
from upcall.run_apis import openai_sdk

assert openai_sdk.OpenAI is openai.OpenAI
"""

FOUND, REFUSED = json_response({"id": "resp_1"}), json_response({"error": {"code": "no"}}, status=400)


def test_requests_and_errors_need_none_of_the_models() -> None:
    assert int(run(REQUESTS + LOADED)) < 30  # of 470


def test_the_sdk_can_be_used_as_a_whole_afterwards() -> None:
    run(REQUESTS + SDK_AS_A_WHOLE)


def test_the_sdk_can_be_used_as_a_whole_before() -> None:
    run(WHOLE_SDK_FIRST)


def run(program: str) -> str:
    """What a program prints. Its argument is the URL of a server that accepts one request, refuses one, and so on."""
    with canned_server(FOUND, REFUSED, FOUND) as server:
        command = [sys.executable, "-c", program, server.url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
