"""Messages to the operator's webhook, in three forms."""

from typing import Any, get_args

import pytest
from support.fakes.clock import START

from upcall.domain.chat_message import WebhookFormat, chat_message

TEXT = "<!channel> Tom & <https://evil.example|Jerry> [x](https://evil.example)"
URL = "https://approvals.example.com/run_1/1-1"


def message(webhook_format: WebhookFormat, url: str | None = URL) -> dict[str, Any]:
    return chat_message(webhook_format, "upcall.notification", START, TEXT, {"message": TEXT}, url)


def test_slack_shows_the_text_as_it_is_and_a_link() -> None:
    assert message("slack") == {
        "text": "&lt;!channel&gt; Tom &amp; &lt;https://evil.example|Jerry&gt; [x](https://evil.example)"
        f" <{URL}|Open>"
    }


def test_teams_gets_an_adaptive_card_whose_text_is_plain() -> None:
    card = message("teams")

    assert card["type"] == "message"
    (attachment,) = card["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["body"] == [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": TEXT}]}
    ]
    assert attachment["content"]["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": URL}]


def test_programs_get_type_time_and_data() -> None:
    assert message("standard") == {
        "type": "upcall.notification",
        "timestamp": START,
        "data": {"message": TEXT, "url": URL},
    }


@pytest.mark.parametrize("webhook_format", get_args(WebhookFormat))
def test_a_message_may_have_no_link(webhook_format: WebhookFormat) -> None:
    assert "Open" not in str(message(webhook_format, url=None))
