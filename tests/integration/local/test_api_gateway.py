"""The API of the local stack, as clients use it."""

import httpx

from local.stack import LocalStack


def test_the_default_content_type_of_curl_starts_a_run(local_stack: LocalStack) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = httpx.post(
        f"{local_stack.endpoints.api}/runs", content='{"prompt": "Hallo ä"}', headers=headers
    )

    assert response.status_code == 202
    run = httpx.get(local_stack.endpoints.api + response.headers["location"])
    assert run.json()["prompt"] == "Hallo ä"
