"""The health of a stack: dead letters, alarms, the caller's quotas, and what an operator has stopped."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack, describe_error, find_stack
from cli.errors import CommandError
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.domain.quota import MICRO, Quota, QuotaSetting, day_of

MESSAGES: Final = "ApproximateNumberOfMessages"
"""The attribute of a queue."""

QUOTA_PARAMETERS: Final[Mapping[str, str]] = {
    "runs": "QuotaRunsPerDay",
    "tokens": "QuotaTokensPerDay",
    "usd": "QuotaUsdPerDay",
    "concurrent": "QuotaConcurrentRuns",
}


class StackHealth:
    """Reads the health of a stack with AWS credentials. Serves several threads.

    `name` is that of the stack. `find_owner` returns the name under which the API knows the user, or None if
    it is not known.
    """

    def __init__(self, session: boto3.Session, name: str, find_owner: Callable[[], str | None]) -> None:
        self._session = session
        self._name = name
        self._find_owner = find_owner
        self._lock = threading.Lock()  # clients are made one at a time

    def read(self) -> dict[str, Any]:
        """The health as JSON. What cannot be read is left out, with the reason in `unknown`."""
        unknown: list[str] = []

        def attempt(service: str, read: Callable[[], Any], otherwise: Any) -> Any:
            try:
                return read()
            except ClientError as error:
                reason = describe_error(service, error)
            except (BotoCoreError, CommandError) as error:
                reason = str(error)
            if reason not in unknown:
                unknown.append(reason)
            return otherwise

        with self._lock:
            return {
                "dead_letters": attempt("sqs", self._read_dead_letters, []),
                "alarms": attempt("cloudwatch", self._read_alarms, []),
                "quotas": attempt("dynamodb", self._read_quotas, None),
                "stopped": attempt("dynamodb", self._read_stopped, []),
                "unknown": unknown,
            }

    def _read_dead_letters(self) -> list[dict[str, Any]]:
        client = self._session.client("sqs", config=CLIENT_CONFIG)
        queues = []
        for logical_id, url in sorted(self._stack.of_type("AWS::SQS::Queue").items()):
            if logical_id.endswith("DeadLetterQueue"):
                found = client.get_queue_attributes(QueueUrl=url, AttributeNames=[MESSAGES])
                queues.append({"queue": logical_id, "messages": int(found["Attributes"][MESSAGES])})
        return queues

    def _read_alarms(self) -> list[dict[str, Any]]:
        """All alarms of the stack, those that are raised first."""
        names = {
            name: logical_id for logical_id, name in self._stack.of_type("AWS::CloudWatch::Alarm").items()
        }
        if not names:
            return []
        client = self._session.client("cloudwatch", config=CLIENT_CONFIG)
        alarms = [
            {
                "name": names[each["AlarmName"]],
                "state": each["StateValue"],
                "reason": each.get("StateReason", ""),
                "since": each["StateUpdatedTimestamp"].isoformat(),
            }
            for each in client.describe_alarms(AlarmNames=list(names))["MetricAlarms"]
        ]
        return sorted(alarms, key=lambda alarm: (alarm["state"] != "ALARM", alarm["name"]))

    def _read_quotas(self) -> dict[str, Any] | None:
        """The quotas of the user, with what is used of them; None without any: then nothing is counted."""
        if self._owner is None:
            return None
        setting = self._controls.get_setting(self._owner) or QuotaSetting()
        quota = setting.applied_to(self._default_quota())
        if not quota.limits:
            return None
        used = self._controls.get_usage(self._owner, day_of(datetime.now(UTC))).model_dump()
        used["usd"] /= MICRO
        return {name: {"used": used[name], "limit": limit} for name, limit in quota.model_dump().items()}

    def _default_quota(self) -> Quota:
        """The quota of every caller for whom no other is set. 0 is none."""
        given = {name: self._stack.parameters.get(each, "0") for name, each in QUOTA_PARAMETERS.items()}
        return QuotaSetting.model_validate(given).applied_to()

    def _read_stopped(self) -> list[str]:
        return [stop.subject for stop in self._controls.list_stops()]

    @cached_property
    def _owner(self) -> str | None:
        return self._find_owner()

    @cached_property
    def _stack(self) -> DeployedStack:
        return find_stack(self._name, self._session)

    @cached_property
    def _controls(self) -> ControlItems:
        resource = self._stack.resources.get("RunTable")
        if resource is None:
            raise CommandError(f"the stack {self._name} has no RunTable: it is not a stack of Upcall")
        return ControlItems(Table(self._session.client("dynamodb", config=CLIENT_CONFIG), resource.id))
