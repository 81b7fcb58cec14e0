"""The checks of the webhooks that OpenAI sends to a stack. They change nothing."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding
from cli.doctor.openai_server import NoResponse, connect
from cli.doctor.secret_checks import check_secret_value, parse_signing_secret, read_openai_key
from cli.webhooks.endpoints import NoWebhooks, RejectedRequest, WebhookEndpoints, describe_duplicates
from upcall.domain.webhook import RUN_EVENTS

LABEL = "OpenAI webhook"


def check_openai_webhook_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If webhooks are switched on, the secret that they are signed with must exist."""
    if name := stack.parameters.get("OpenAIWebhookSecretName"):
        yield check_secret_value(LABEL, name, parse_signing_secret)
    else:
        yield Finding(LABEL, "ok", "not needed, because OpenAIWebhookSecretName is empty")


def check_openai_webhook(stack: DeployedStack) -> Iterator[Finding]:
    """If webhooks are switched on, OpenAI must have an endpoint with the stack's URL, for all events."""
    if not stack.parameters.get("OpenAIWebhookSecretName"):
        yield Finding(LABEL, "ok", "not needed, because OpenAIWebhookSecretName is empty; runs are polled")
        return
    base_url, endpoint_url = stack.parameter("OpenAIBaseUrl"), stack.output("WebhookEndpointUrl")
    url = urlsplit(base_url)._replace(query="").geturl()  # some servers take secrets in the query
    key = read_openai_key(stack)
    if key is None:
        yield Finding(LABEL, "unknown", f"{url} was not asked, because there is no valid API key")
        return
    organization, project = stack.parameter("OpenAIOrganization"), stack.parameter("OpenAIProject")
    endpoints = WebhookEndpoints(connect(base_url, key, organization, project))
    try:
        yield _check_endpoint(endpoints, endpoint_url, stack.name)
    except NoWebhooks as error:
        message = f"{url} has no API for webhooks ({error}); set OpenAIWebhookSecretName to empty"
        yield Finding(LABEL, "warning", message)
    except RejectedRequest as error:
        yield Finding(LABEL, "unknown", f"{url} did not accept {error}")
    except NoResponse as error:
        yield Finding(LABEL, "unknown", f"{url} could not be asked from this machine ({error})")


def _check_endpoint(endpoints: WebhookEndpoints, url: str, stack: str) -> Finding:
    command = f"upcall webhooks register --stack {stack}"
    found = endpoints.find(url)
    if not found:
        return Finding(LABEL, "failed", f"OpenAI has no webhook endpoint with the URL {url}: {command}")
    if len(found) > 1:
        return Finding(LABEL, "failed", describe_duplicates(url, [each.id for each in found]))
    (endpoint,) = found
    if missing := [each for each in RUN_EVENTS if each not in endpoint.event_types]:
        message = f"the webhook endpoint {endpoint.id} gets no {', '.join(missing)}"
        return Finding(LABEL, "failed", f"{message}: {command}")
    return Finding(LABEL, "ok", f"OpenAI sends all events to {url}")
