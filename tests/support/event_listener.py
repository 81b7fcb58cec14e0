"""Listens to the events of a local stack, in its process."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

from moto.events.models import EventsBackend

Event = dict[str, Any]

TIMEOUT_SECONDS = 60


class EventListener:
    """Keeps what the stack's event buses have accepted since the listener started. A context manager.

    `run_bus` is the bus of the events of runs: final events, and those of calls that wait. An event has the fields that a target of a rule gets:
    `source`, `detail-type` and `detail`.
    """

    def __init__(self, run_bus: str) -> None:
        self._run_bus = run_bus
        self._final_events: defaultdict[str, list[Event]] = defaultdict(list)
        self._call_events: defaultdict[str, list[Event]] = defaultdict(list)
        self._ended_executions: set[str] = set()
        self._changed = threading.Condition()
        self._put_events = EventsBackend.put_events

    def __enter__(self) -> Self:
        put_events = self._put_events

        def put(backend: EventsBackend, entries: list[dict[str, Any]]) -> Any:
            results = put_events(backend, entries)
            for entry, result in zip(entries, results, strict=True):
                if "EventId" in result:
                    self._add(entry)
            return results

        EventsBackend.put_events = put  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        EventsBackend.put_events = self._put_events  # type: ignore[method-assign]

    def wait_for_events(self, run_id: str, count: int = 1) -> list[Event]:
        """The final events of a run, as soon as there are so many. Raises TimeoutError."""
        self._wait(lambda: len(self._final_events[run_id]) >= count, f"{count} final events of {run_id}")
        return self.published_events(run_id)

    def published_events(self, run_id: str) -> list[Event]:
        """The final events of a run that were published so far."""
        return list(self._final_events[run_id])

    def published_call_events(self, run_id: str) -> list[Event]:
        """The events of calls that wait, or have waited, for an answer from outside."""
        return list(self._call_events[run_id])

    def wait_for_execution(self, name: str) -> None:
        """Wait until an execution has ended. Raises TimeoutError."""
        self._wait(lambda: name in self._ended_executions, f"the end of the execution {name}")

    def _add(self, entry: dict[str, Any]) -> None:
        detail = json.loads(entry["Detail"])
        with self._changed:
            if entry["Source"] == "aws.states":
                self._ended_executions.add(detail["name"])
            elif entry["Source"] == "upcall" and entry.get("EventBusName") == self._run_bus:
                event = {"source": "upcall", "detail-type": entry["DetailType"], "detail": detail}
                events = self._call_events if "call" in detail else self._final_events
                events[detail.get("run_id") or detail["batch_id"]].append(event)
            self._changed.notify_all()

    def _wait(self, is_there: Callable[[], bool], description: str) -> None:
        with self._changed:
            if not self._changed.wait_for(is_there, TIMEOUT_SECONDS):
                raise TimeoutError(f"{description} did not come within {TIMEOUT_SECONDS} seconds")
