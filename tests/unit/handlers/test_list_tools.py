import json

from aws_lambda_powertools.utilities.typing import LambdaContext
from support.sample_events import sample_event

import tools
from handlers import list_tools


def test_tools_are_listed_as_the_model_sees_them() -> None:
    response = list_tools.lambda_handler(sample_event("list_tools"), LambdaContext())
    listed = json.loads(response["body"])["tools"]

    assert response["statusCode"] == 200
    assert [each["name"] for each in listed] == tools.names()
    assert listed[0]["parameters"]["properties"]["url"]["type"] == "string"
