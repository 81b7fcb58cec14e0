"""Settings of resources that cost money or data if they are wrong."""

import pytest
from support.templates import CONSOLE, FUNCTIONS, TEMPLATE

DEFAULT_TIMEOUT = TEMPLATE.source["Globals"]["Function"]["Timeout"]
QUEUES = [(mapping.queue, mapping.function) for mapping in TEMPLATE.queue_mappings()]


@pytest.mark.parametrize(("queue", "function"), QUEUES)
def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_run(
    queue: str, function: str
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html."""
    seconds = TEMPLATE.source["Resources"][queue]["Properties"]["VisibilityTimeout"]

    assert seconds >= 6 * FUNCTIONS[function].get("Timeout", DEFAULT_TIMEOUT)


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::S3::Bucket"])
def test_data_outlives_the_stack_but_not_a_creation_that_failed(kind: str) -> None:
    all_resources = [*TEMPLATE.source["Resources"].values(), *CONSOLE["Resources"].values()]
    resources = [each for each in all_resources if each["Type"] == kind]

    assert resources
    for resource in resources:
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_table_is_encrypted_with_the_key_that_costs_nothing() -> None:
    """`SSEEnabled: true` takes a key of KMS, which costs per request."""
    assert "SSESpecification" not in TEMPLATE.source["Resources"]["RunTable"]["Properties"]


def test_two_stacks_of_an_account_have_layers_of_their_own() -> None:
    layers = [each for each in TEMPLATE.source["Resources"].values() if "LayerVersion" in each["Type"]]

    assert len(layers) == 2
    assert all("${AWS::StackName}" in layer["Properties"]["LayerName"]["Fn::Sub"] for layer in layers)
