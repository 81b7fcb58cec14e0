import json

from aws_lambda_powertools.utilities.typing import LambdaContext
from support.sample_events import sample_event

from handlers import list_assistants


def test_assistants_are_listed_with_their_tools_and_limits() -> None:
    response = list_assistants.lambda_handler(sample_event("list_assistants"), LambdaContext())
    assistants = {each["name"]: each for each in json.loads(response["body"])["assistants"]}

    assert response["statusCode"] == 200
    assert set(assistants) == {"announcer", "messenger", "summarizer"}
    assert "fetch" in assistants["summarizer"]["tools"]
    assert assistants["summarizer"]["limits"]["rounds"] == 10
