"""The check of the OpenAI server: it must accept the key, and know the models.

The server is asked for its models, which costs nothing.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote, urlsplit

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding
from cli.doctor.openai_server import NoResponse, OpenAIServer, Reply, connect
from cli.doctor.secret_checks import put_secret_command, read_openai_key
from upcall.domain.assistants import all_assistants
from upcall.run_apis.client import AZURE_DOMAINS

LABEL = "OpenAI server"

NO_SUCH_ROUTE = (404, 405, 501)
"""What a server without a list of models answers."""

MAX_NAMED_MODELS = 5

READABLE_PATHS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "responses": ("/responses/resp_0", {}),
    "assistants": ("/threads/thread_0", {"OpenAI-Beta": "assistants=v2"}),
    "agents": ("/agents/sessions/session_0", {"OpenAI-Beta": "agents=v1"}),
}
"""By run API: a path that a key for runs may read, although nothing is there, and the headers for it."""


def check_server(stack: DeployedStack) -> Iterator[Finding]:
    """The server at OpenAIBaseUrl must accept the API key, and know the models of the stack."""
    base_url = stack.parameter("OpenAIBaseUrl")
    url = urlsplit(base_url)._replace(query="").geturl()  # some servers take secrets in the query
    key = read_openai_key(stack)
    if key is None:
        yield Finding(LABEL, "unknown", f"{url} was not asked, because there is no valid API key")
        return
    organization, project = stack.parameter("OpenAIOrganization"), stack.parameter("OpenAIProject")
    try:
        yield from _check_key(connect(base_url, key, organization, project), stack, url)
    except NoResponse as error:
        message = f"{url} could not be asked from this machine ({error}); functions may reach it"
        yield Finding(LABEL, "unknown", message)


def _check_key(server: OpenAIServer, stack: DeployedStack, url: str) -> Iterator[Finding]:
    reply = server.get("/models")
    models = _parse_models(reply.content)
    if reply.status in (401, 403):
        yield _describe_refusal(server, stack, url, reply)
    elif reply.status in NO_SUCH_ROUTE:
        yield from _check_models_without_list(server, stack, url, reply)
    elif 300 <= reply.status < 400:
        message = f"{url} redirects ({reply.status}), which functions do not follow; correct OpenAIBaseUrl"
        yield Finding(LABEL, "failed", message)
    elif reply.status >= 400:
        yield Finding(LABEL, "unknown", f"{url} answers {reply}; check again later")
    elif models is None:
        message = f"{url} answers GET /models, but not with a list of models; check OpenAIBaseUrl"
        yield Finding(LABEL, "failed", message)
    else:
        yield Finding(LABEL, "ok", f"{url} accepts the key")
        for model, users in _models_in_use(stack).items():
            yield _check_model(server, url, model, users, models)


def _describe_refusal(server: OpenAIServer, stack: DeployedStack, url: str, reply: Reply) -> Finding:
    """A key with few permissions may be refused the models, but not the runs."""
    name = stack.parameter("OpenAISecretName")
    if reply.status == 403:
        path, headers = READABLE_PATHS[stack.parameter("RunApi")]
        if server.get(path, headers).status in (400, 404):
            message = f"{url} accepts the key for runs, but does not list models for it ({reply})"
            return Finding(LABEL, "warning", f"{message}, so the model was not checked")
    advice = f"store one that it accepts: {put_secret_command(name)}"
    return Finding(LABEL, "failed", f"{url} refuses the key in {name} ({reply}); {advice}")


def _check_model(server: OpenAIServer, url: str, model: str, users: str, listed: list[str]) -> Finding:
    known = Finding("model", "ok", f"{url} knows {model} ({users})")
    if model in listed:
        return known
    reply = server.get(_path(model))
    if reply.status < 300:
        return known
    if reply.status not in NO_SUCH_ROUTE:
        status: Any = "failed" if reply.status in (401, 403) else "unknown"
        return Finding("model", status, f"{url} does not show {model} ({users}): {reply}")
    if (urlsplit(url).hostname or "").endswith(AZURE_DOMAINS):
        message = f"{model} ({users}) is not a model of Azure; there must be a deployment of that name"
        return Finding("model", "warning", message)
    advice = f"name one that it knows: {', '.join(_most_similar(model, listed)) or 'there is none'}"
    return Finding("model", "failed", f"{url} does not know {model} ({users}); {advice}")


def _check_models_without_list(
    server: OpenAIServer, stack: DeployedStack, url: str, reply: Reply
) -> Iterator[Finding]:
    """Some servers have no list, but show each model. Others show none, and some of those need no key."""
    unchecked = []
    for model, users in _models_in_use(stack).items():
        shown = server.get(_path(model))
        if shown.status in (401, 403):
            yield _describe_refusal(server, stack, url, shown)
            return
        if shown.status < 300:
            yield Finding("model", "ok", f"{url} knows {model} ({users})")
        else:
            unchecked.append(f"{model} ({users})")
    if unchecked:
        message = f"{url} has no list of models (GET /models: {reply.status})"
        effect = f"neither the key nor {' and '.join(unchecked)} could be checked"
        advice = "if it should have one, correct OpenAIBaseUrl"
        yield Finding(LABEL, "warning", f"{message}, so {effect}; {advice}")
    else:
        yield Finding(LABEL, "ok", f"{url} accepts the key")


def _models_in_use(stack: DeployedStack) -> dict[str, str]:
    """The models of the stack, and what names each."""
    users = {stack.parameter("Model"): ["parameter Model"]}
    for assistant in all_assistants().values():
        if assistant.model:
            users.setdefault(assistant.model, []).append(f"src/assistants/{assistant.name}.toml")
    return {model: ", ".join(names) for model, names in users.items()}


def _parse_models(content: Any) -> list[str] | None:
    """The ids in a list of models, which is in `data`; some compatible servers send it bare."""
    models = content.get("data") if isinstance(content, dict) else content
    if not isinstance(models, list):
        return None
    return [str(each["id"]) for each in models if isinstance(each, dict) and "id" in each]


def _most_similar(model: str, models: list[str]) -> list[str]:
    similar = get_close_matches(model, models, MAX_NAMED_MODELS, cutoff=0.4)
    return [*similar, *(each for each in models if each not in similar)][:MAX_NAMED_MODELS]


def _path(model: str) -> str:
    return f"/models/{quote(model, safe='')}"
