"""Messages to the operator's webhook, in the form that its receiver takes."""

from datetime import datetime
from typing import Any, Literal

WebhookFormat = Literal["standard", "slack", "teams"]
"""`standard` is JSON with type, timestamp and data, for programs. The others are shown by chats."""


def chat_message(
    webhook_format: WebhookFormat,
    kind: str,
    timestamp: datetime,
    text: str,
    data: dict[str, Any],
    url: str | None = None,
) -> dict[str, Any]:
    """A message with a text and perhaps a link. `data` is for programs, and is in no chat.

    Slack takes a text, in which three characters are escaped and a link has a syntax of its own
    (https://docs.slack.dev/messaging/formatting-message-text). Workflows of Teams take adaptive cards only
    (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using); the
    text of this one is plain, so that what a model writes makes no links.
    """
    if webhook_format == "slack":
        return {"text": _escape(text) + (f" <{url}|Open>" if url else "")}
    if webhook_format == "teams":
        return {"type": "message", "attachments": [_adaptive_card(text, url)]}
    link = {"url": url} if url else {}
    return {"type": kind, "timestamp": timestamp, "data": {**data, **link}}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _adaptive_card(text: str, url: str | None) -> dict[str, Any]:
    actions = [{"type": "Action.OpenUrl", "title": "Open", "url": url}] if url else []
    return {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]}],
            "actions": actions,
        },
    }
