"""A run API without a server: a test sets its results and reads its requests."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from support.fakes.clock import FakeClock
from upcall.domain.errors import FieldError, TransientError
from upcall.domain.message_text import TextDelta
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.upstream_run import Message, RunApiName, UpstreamRun, UpstreamSnapshot
from upcall.run_apis.base import UpstreamRequest, request_seconds
from upcall.run_apis.client import TIMEOUT_SECONDS

Method = Literal["prepare", "create", "repeat", "poll", "stream_text", "submit", "get_message", "cancel"]
"""The methods that call the server."""


class FakeRunApi:
    """Implements RunApi, and by `get` also GetRunApi.

    `prepared`, `created`, `repeated`, `polled`, `submitted`, `read` and `cancelled` list the requests of a kind, the
    successful ones only. A run is created as resp_1; each submission of outputs leads to the next one: resp_2, resp_3, …
    A turn that is requested again is again_1, again_2, …
    A stream has `deltas`; a function among them is called when the stream has come that far. `streamed` lists what was
    asked for.
    """

    def __init__(self, name: RunApiName = "responses") -> None:
        self.name = name
        self.unsupported: FieldError | None = None
        self.has_completion_windows = True
        self.resumes_after_tool_calls = True
        self.repeats_after_tool_calls = True
        self.sends_webhooks = True
        self.snapshots: list[UpstreamSnapshot] = [UpstreamSnapshot(status="completed")]
        self.message = Message(text="Done.")
        self.deltas: list[TextDelta | Callable[[], object]] = []
        self.streamed: list[tuple[UpstreamRun, int | None, float]] = []
        self.prepared: list[UpstreamRequest] = []
        self.created: list[tuple[UpstreamRequest, UpstreamRun, Sequence[LedgerEntry]]] = []
        self.repeated: list[tuple[UpstreamRequest, UpstreamRun, Sequence[LedgerEntry]]] = []
        self.polled: list[UpstreamRun] = []
        self.submitted: list[tuple[UpstreamRequest, UpstreamRun, Sequence[LedgerEntry]]] = []
        self.read: list[tuple[Run, UpstreamRun]] = []
        self.cancelled: list[UpstreamRun] = []
        self._errors: defaultdict[Method, list[Exception]] = defaultdict(list)
        self._actions: defaultdict[Method, list[Callable[[], object]]] = defaultdict(list)

    def get(self, name: RunApiName) -> "FakeRunApi":
        """This run API, if that is its name. Raises KeyError."""
        return {self.name: self}[name]

    def fail_next(self, method: Method, error: Exception) -> None:
        """Raise the error in the next request that has none to raise yet."""
        self._errors[method].append(error)

    def during_next(self, method: Method, action: Callable[[], object]) -> None:
        """Do something while the server works on the next request."""
        self._actions[method].append(action)

    def hang_next(self, method: Method, clock: FakeClock) -> None:
        """Do not answer the next request. The client notices a moment after its time-out."""
        self.during_next(method, lambda: clock.advance(request_seconds(TIMEOUT_SECONDS) + 0.01))
        self.fail_next(method, TransientError("no answer (ReadTimeout)"))

    def unsupported_field(self, _: Run, /) -> FieldError | None:
        """See RunApi."""
        return self.unsupported

    def has_completion_window(self) -> bool:
        """See RunApi."""
        return self.has_completion_windows

    def can_resume_after_tool_calls(self) -> bool:
        """See RunApi."""
        return self.resumes_after_tool_calls

    def can_repeat_after_tool_calls(self) -> bool:
        """See RunApi."""
        return self.repeats_after_tool_calls

    def conversation_to_retry_in(self, run: Run, /) -> UpstreamRun | None:
        """See RunApi."""
        return run.previous_upstream_run

    def prepare(self, request: UpstreamRequest, /) -> UpstreamRun:
        """See RunApi."""
        self._request("prepare")
        self.prepared.append(request)
        return UpstreamRun(run_api=self.name, ids={"intent_id": f"intent_{len(self.prepared)}"})

    def create(
        self, request: UpstreamRequest, intent: UpstreamRun, answered_calls: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """See RunApi."""
        self._request("create")
        self.created.append((request, intent, answered_calls))
        return self._turn(len(self.created))

    def repeat(
        self, request: UpstreamRequest, failed: UpstreamRun, answered_calls: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """See RunApi."""
        self._request("repeat")
        self.repeated.append((request, failed, answered_calls))
        return UpstreamRun(run_api=self.name, ids={"response_id": f"again_{len(self.repeated)}"})

    def poll(self, upstream_run: UpstreamRun, /) -> UpstreamSnapshot:
        """See RunApi. The last snapshot is returned again and again."""
        self._request("poll")
        self.polled.append(upstream_run)
        return self.snapshots[min(len(self.polled), len(self.snapshots)) - 1]

    def stream_text(
        self, upstream_run: UpstreamRun, after: int | None, seconds: float, /
    ) -> Iterator[TextDelta]:
        """See RunApi."""
        self._request("stream_text")
        self.streamed.append((upstream_run, after, seconds))
        for delta in self.deltas:
            if not isinstance(delta, TextDelta):
                delta()
            elif after is None or delta.position > after:
                yield delta

    def submit(
        self, request: UpstreamRequest, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """See RunApi."""
        self._request("submit")
        self.submitted.append((request, upstream_run, answers))
        return self._turn(len(self.submitted) + 1)

    def get_message(self, run: Run, upstream_run: UpstreamRun, /) -> Message:
        """See RunApi."""
        self._request("get_message")
        self.read.append((run, upstream_run))
        return self.message

    def webhook_id(self, upstream_run: UpstreamRun, /) -> str | None:
        """See RunApi."""
        return upstream_run.ids["response_id"] if self.sends_webhooks else None

    def cancel(self, upstream_run: UpstreamRun, /) -> None:
        """See RunApi."""
        self._request("cancel")
        self.cancelled.append(upstream_run)

    def _request(self, method: Method) -> None:
        if self._actions[method]:
            self._actions[method].pop(0)()
        if self._errors[method]:
            raise self._errors[method].pop(0)

    def _turn(self, number: int) -> UpstreamRun:
        return UpstreamRun(run_api=self.name, ids={"response_id": f"resp_{number}"})
