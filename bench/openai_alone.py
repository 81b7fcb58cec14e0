"""The baseline of cold starts: a function that sends one request with the OpenAI client, no more."""

import os
from contextlib import suppress

from httpx2 import Response
from openai import NotFoundError, OpenAI


def lambda_handler(_: object, __: object) -> dict[str, str]:
    """Send a request."""
    client = OpenAI(api_key="none", base_url=os.environ["OPENAI_BASE_URL"])
    with suppress(NotFoundError):
        client.get("/responses/none", cast_to=Response)
    return {"outcome": "ok"}
