"""Who may send to the queues: the rules of the stack that have the queue as a target, and no others."""

from typing import Any

from support.templates import RESOURCES, resources_of_type

SEND = "sqs:SendMessage"


def allowed_rules(queue: str) -> set[str]:
    """The rules that the policy of the queues allows to send to a queue."""
    rules: set[str] = set()
    for statement in RESOURCES["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        if statement["Effect"] == "Allow" and {"Fn::GetAtt": [queue, "Arn"]} in statement["Resource"]:
            assert (statement["Action"], statement["Principal"]) == (
                SEND,
                {"Service": "events.amazonaws.com"},
            )
            assert set(statement["Condition"]) == {"ArnEquals"}
            rules |= {each["Fn::GetAtt"][0] for each in statement["Condition"]["ArnEquals"]["aws:SourceArn"]}
    return rules


def sending_rules(queue: str) -> set[str]:
    """The rules that send to a queue: events, or those that could not be delivered."""

    def sends(target: dict[str, Any]) -> bool:
        arns = (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn"))
        return {"Fn::GetAtt": [queue, "Arn"]} in arns

    rules = resources_of_type("AWS::Events::Rule")
    return {name for name, rule in rules.items() if any(map(sends, rule["Targets"]))}


def test_each_queue_takes_messages_from_its_own_rules_only() -> None:
    queues = resources_of_type("AWS::SQS::Queue")

    assert queues
    for queue in queues:
        assert allowed_rules(queue) == sending_rules(queue) != set()


def test_every_queue_has_the_policy() -> None:
    queues = RESOURCES["QueuePolicy"]["Properties"]["Queues"]

    assert {each["Ref"] for each in queues} == set(resources_of_type("AWS::SQS::Queue"))
