"""Messages to the operator's webhook of a local stack are lines of a file."""

import json
from pathlib import Path

import httpx

from local import message_file
from local.http_server import HttpServer


def test_each_message_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    server = HttpServer(message_file.create_app(file))
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            statuses = [client.post("/", content=body).status_code for body in ('{"a": 1}', '{"b":\n2}')]
            statuses.append(client.get("/").status_code)
    finally:
        server.stop()

    assert statuses == [204, 204, 405]
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == [{"a": 1}, {"b": 2}]
