"""What `upcall doctor` finds about the OpenAI server of a stack."""

import uuid
from collections.abc import Mapping

import boto3
import pytest
from support.canned_server import CannedServer, canned_server, json_response
from support.doctor import findings, with_parameters
from support.raw_server import never_respond, raw_server
from werkzeug.wrappers import Response

from cli.doctor import openai_server, server_checks
from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding
from cli.doctor.openai_server import hide_key
from cli.doctor.server_checks import check_server
from upcall.domain.assistants import Assistant

KEY = "sk-proj-hiddenhiddenhiddenhidden"
MODELS = json_response(
    {"object": "list", "data": [{"id": "gpt-5.4-mini"}, {"id": "gpt-5.4"}, {"id": "tts-1"}]}
)
NOT_FOUND = json_response({"error": {"message": "The model does not exist", "code": "model_not_found"}}, 404)


@pytest.fixture
def secret() -> str:
    """The name of a secret that holds the key, with a line break."""
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=f"{KEY}\n")
    return name


@pytest.fixture
def keyed(stack: DeployedStack, secret: str) -> DeployedStack:
    """The stack with that secret and one model."""
    return with_parameters(stack, OpenAISecretName=secret, Model="gpt-5.4-mini")


def ask(
    stack: DeployedStack, *responses: Response, path: str = "/v1", **parameters: str
) -> tuple[list[Finding], CannedServer]:
    """The findings with a server that sends these responses, and the server."""
    with canned_server(*responses) as server:
        configured = with_parameters(stack, OpenAIBaseUrl=f"{server.url}{path}", **parameters)
        found = findings(check_server, configured)
    assert not any("hidden" in each.message for each in found)
    return found, server


def error(message: str, status: int) -> Response:
    return json_response({"error": {"message": message}}, status)


def test_a_server_that_accepts_the_key_and_knows_the_model_passes(keyed: DeployedStack) -> None:
    found, server = ask(keyed, MODELS, path="/v1?api-version=hidden", OpenAIProject="proj_1")

    assert [(each.check, each.status) for each in found] == [("OpenAI server", "ok"), ("model", "ok")]
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/v1/models?api-version=hidden")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Openai-Project"] == "proj_1"


def test_an_organization_of_this_machine_is_not_sent(
    keyed: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-operator")
    _, server = ask(keyed, MODELS)

    assert "Openai-Organization" not in server.requests[0].headers


def test_a_refused_key_is_reported_in_the_servers_words_without_the_key(
    keyed: DeployedStack, secret: str
) -> None:
    (found,), server = ask(keyed, error(f"Incorrect API key: {KEY}, {KEY[:14]}…", 401))

    assert (found.check, found.status) == ("OpenAI server", "failed")
    assert f"refuses the key in {secret} (401: Incorrect API key: ****" in found.message
    assert f"aws secretsmanager put-secret-value --secret-id {secret}" in found.message
    assert len(server.requests) == 1


def test_a_key_that_may_do_nothing_is_a_problem(keyed: DeployedStack) -> None:
    (found,), _ = ask(keyed, error("Country not supported", 403))

    assert (found.check, found.status) == ("OpenAI server", "failed")
    assert "(403: Country not supported)" in found.message


@pytest.mark.parametrize("run_api", ["responses", "assistants", "agents"])
def test_a_key_that_may_use_runs_but_not_list_models_is_a_warning(keyed: DeployedStack, run_api: str) -> None:
    (found,), server = ask(keyed, error("Missing scopes: api.model.read", 403), NOT_FOUND, RunApi=run_api)

    assert found.status == "warning"
    assert "Missing scopes: api.model.read" in found.message
    assert len(server.requests) == 2


def test_an_unknown_model_is_reported_with_similar_ones(keyed: DeployedStack) -> None:
    found, server = ask(keyed, MODELS, NOT_FOUND, Model="gpt-5.4/mimi")

    assert [(each.check, each.status) for each in found] == [("OpenAI server", "ok"), ("model", "failed")]
    assert "does not know gpt-5.4/mimi (parameter Model)" in found[1].message
    assert found[1].message.endswith("; name one that it knows: gpt-5.4-mini, gpt-5.4, tts-1")
    assert server.requests[1].path == "/v1/models/gpt-5.4/mimi"  # WSGI decodes the slash


def test_a_model_that_is_known_though_not_listed_passes(keyed: DeployedStack) -> None:
    found, _ = ask(keyed, MODELS, json_response({"id": "gpt-5.4-alias"}), Model="gpt-5.4-alias")

    assert [each.status for each in found] == ["ok", "ok"]


def test_the_models_of_assistants_are_checked(keyed: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def assistants() -> Mapping[str, Assistant]:
        assistant = Assistant(name="writer", description="", instructions="", model="gpt-none")
        return {"writer": assistant}

    monkeypatch.setattr(server_checks, "all_assistants", assistants)
    found, _ = ask(keyed, MODELS, NOT_FOUND)

    assert [each.status for each in found] == ["ok", "ok", "failed"]
    assert "gpt-none (src/assistants/writer.toml)" in found[2].message


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_models_is_a_warning(keyed: DeployedStack, status: int) -> None:
    (found,), _ = ask(keyed, error("no such route", status))

    assert found.status == "warning"
    assert f"has no list of models (GET /models: {status}), so neither the key nor" in found.message


def test_a_server_without_models_that_refuses_the_key_is_a_problem(keyed: DeployedStack) -> None:
    (found,), _ = ask(keyed, error("no such route", 404), error("wrong key", 401))

    assert (found.check, found.status) == ("OpenAI server", "failed")


def test_a_server_that_shows_models_but_has_no_list_passes(keyed: DeployedStack) -> None:
    found, _ = ask(keyed, NOT_FOUND, json_response({"id": "gpt-5.4-mini"}))

    assert [(each.check, each.status) for each in found] == [("model", "ok"), ("OpenAI server", "ok")]


def test_a_bare_list_of_models_is_read(keyed: DeployedStack) -> None:
    found, _ = ask(keyed, json_response([{"id": "gpt-5.4-mini"}]))

    assert [each.status for each in found] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("response", "status", "message"),
    [
        (Response("<html>", 200, content_type="text/html"), "failed", "not with a list of models"),
        (json_response({"models": []}), "failed", "check OpenAIBaseUrl"),
        (Response("", 302, {"Location": "https://example.com"}), "failed", "redirects (302)"),
        (error("overloaded", 503), "unknown", "answers 503: overloaded; check again later"),
        (error("slow down", 429), "unknown", "answers 429: slow down"),
    ],
)
def test_another_response_is_described(
    keyed: DeployedStack, response: Response, status: str, message: str
) -> None:
    (found,), server = ask(keyed, response)

    assert found.status == status
    assert message in found.message
    assert len(server.requests) == 1  # it is not repeated


def test_a_model_that_azure_does_not_list_may_be_a_deployment(
    keyed: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_checks, "AZURE_DOMAINS", ("127.0.0.1",))
    found, _ = ask(keyed, MODELS, NOT_FOUND, Model="our-deployment")

    assert [each.status for each in found] == ["ok", "warning"]
    assert "there must be a deployment of that name" in found[1].message


def test_a_server_that_cannot_be_reached_could_not_be_asked(keyed: DeployedStack) -> None:
    (found,) = findings(check_server, with_parameters(keyed, OpenAIBaseUrl="http://127.0.0.1:1/v1"))

    assert (found.check, found.status) == ("OpenAI server", "unknown")
    assert found.message.startswith(
        "http://127.0.0.1:1/v1 could not be asked from this machine (ConnectError"
    )


def test_a_server_that_does_not_respond_is_not_waited_for(
    keyed: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_server, "TIMEOUT_SECONDS", 0.2)
    with raw_server(never_respond) as server:
        (found,) = findings(check_server, with_parameters(keyed, OpenAIBaseUrl=server.url))

    assert found.status == "unknown"
    assert "ReadTimeout" in found.message


def test_without_a_valid_key_the_server_is_not_asked(stack: DeployedStack) -> None:
    (found,) = findings(check_server, with_parameters(stack, OpenAISecretName="no/such"))

    assert (found.status, found.message.partition(" ")[2]) == (
        "unknown",
        "was not asked, because there is no valid API key",
    )


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key sk-proj-1234567890 refused", "key ****************** refused"),
        ("key sk-proj-1*******7890 refused", "key *********" + "*******7890 refused"),
        ("Bearer sk-proj-1234567890", "Bearer ******************"),
        ("no key", "no key"),
        ("", ""),
    ],
)
def test_no_part_of_the_key_is_shown(text: str, hidden: str) -> None:
    assert hide_key(text, "sk-proj-1234567890") == hidden


def test_a_short_key_is_hidden_too() -> None:
    assert hide_key("the key x1 is wrong", "x1") == "the key ** is wrong"
