"""What the local stack reads from the template."""

from local.template import Template


def test_the_routes_are_those_of_the_template() -> None:
    routes = {(route.method, route.path, route.function) for route in Template().routes()}

    assert routes == {
        ("POST", "/runs", "StartRunFunction"),
        ("GET", "/runs", "ListRunsFunction"),
        ("GET", "/runs/{run_id}/calls", "ListCallsFunction"),
        ("GET", "/runs/{run_id}/events", "ListEventsFunction"),
        ("POST", "/runs/{run_id}/calls/{call}/decision", "ReceiveDecisionFunction"),
        ("POST", "/runs/{run_id}/tool_outputs", "ReceiveToolOutputsFunction"),
        ("GET", "/runs/{run_id}/message", "GetMessageFunction"),
        ("POST", "/batches", "StartBatchFunction"),
        ("GET", "/batches", "ListBatchesFunction"),
        ("GET", "/batches/{batch_id}", "GetBatchFunction"),
        ("GET", "/batches/{batch_id}/results", "GetBatchResultsFunction"),
        ("POST", "/batches/{batch_id}/cancel", "CancelBatchFunction"),
        ("GET", "/tools", "ListToolsFunction"),
        ("GET", "/assistants", "ListAssistantsFunction"),
        ("GET", "/openapi.json", "DescribeApiFunction"),
        ("GET", "/health", "DescribeApiFunction"),
        ("POST", "/webhooks/openai", "ReceiveWebhookFunction"),
        ("GET", "/runs/{run_id}", "GetRunFunction"),
        ("POST", "/runs/{run_id}/cancel", "CancelRunFunction"),
        ("POST", "/runs/{run_id}/retry", "RetryRunFunction"),
    }


def test_the_deployable_template_leaves_the_transformed_one_as_it_is() -> None:
    template = Template()
    before = str(template.transformed)

    assert template.deployable() == template.deployable()
    assert str(template.transformed) == before
