"""A run as one trace, by OpenTelemetry's semantic conventions for generative AI.

    invoke_agent <assistant>        the run, from the request to its end
    ├── chat <model>                a turn of the model
    ├── approval <tool>             a call waits for a person
    └── execute_tool <tool>         a tool's function runs, or the run's caller has the call

https://github.com/open-telemetry/semantic-conventions-genai. Attributes that the conventions do not have
begin with `upcall.`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from upcall.domain.aws_cost import estimate_aws_usd
from upcall.domain.call_spans import call_spans
from upcall.domain.model_turns import Attempt, ModelTurn
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.span import Attributes, AttributeValue, Span, make_span_id, make_trace_id
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.trace_content import TraceContent
from upcall.domain.trace_context import SAMPLED, TraceContext
from upcall.domain.usage import Usage

_FAILED: Final = ("failed", "incomplete", "expired")


class RunTrace:
    """The trace of the last attempt of a run that has ended.

    Ids are made from the run's id and attempt, so that a trace that is sent again has the same. A run that
    has a trace context continues that trace.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._context = TraceContext.parse(run.traceparent)
        self._root_id = make_span_id(run.execution_name, "run")

    @property
    def trace_id(self) -> str:
        """The trace's id."""
        return self._context.trace_id if self._context else make_trace_id(self._run.execution_name)

    @property
    def flags(self) -> int:
        """The trace's flags."""
        return self._context.flags if self._context else SAMPLED

    @property
    def sampled(self) -> bool:
        """Whether the trace is recorded. Whoever has started it decides that."""
        return bool(self.flags & SAMPLED)

    def spans(
        self,
        attempt: Attempt,
        ledger: Sequence[LedgerEntry],
        open_calls: Sequence[OpenCall],
        content: TraceContent,
    ) -> Iterator[Span]:
        """All spans, the run's first, then turns, then calls."""
        yield self._root(attempt, content)
        for turn in attempt.turns:
            yield self._turn(turn)
        calls = [entry for entry in ledger if entry.round >= attempt.first_round]
        yield from call_spans(self._run, attempt, calls, open_calls, content, self._child)

    def _root(self, attempt: Attempt, content: TraceContent) -> Span:
        run = self._run
        failed = run.status in _FAILED
        return Span(
            span_id=self._root_id,
            parent_id=self._context.parent_id if self._context else None,
            remote=self._context is not None,
            name=f"invoke_agent {run.assistant}",
            start=attempt.start,
            end=run.ended_at or attempt.start,
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": run.assistant,
                **_request_attributes(run),
                **({} if any(turn.usage for turn in attempt.turns) else _usage_attributes(run.usage)),
                **_record_attributes(run),
                **content.of_run(run),
            },
            error_type=_error_type(run) if failed else None,
            error_message=content.of_failure(run) if failed else "",
        )

    def _turn(self, turn: ModelTurn) -> Span:
        failed = turn.last and self._run.status in _FAILED
        return self._child(
            f"turn {turn.number}",
            name=f"chat {self._run.model}",
            kind="client",
            start=turn.start,
            end=turn.end,
            attributes={
                "gen_ai.operation.name": "chat",
                **_request_attributes(self._run),
                **(_usage_attributes(turn.usage) if turn.usage else {}),
                "upcall.turn": turn.number,
            },
            error_type=_error_type(self._run) if failed else None,
        )

    def _child(self, seed: str, **fields: object) -> Span:
        span_id = make_span_id(self._run.execution_name, seed)
        return Span.model_validate({"span_id": span_id, "parent_id": self._root_id, **fields})


def _request_attributes(run: Run) -> Attributes:
    return _known(
        {
            "gen_ai.provider.name": "openai",  # the kind of API; compatible servers have the same
            "gen_ai.request.model": run.model,
            "gen_ai.output.type": "json" if run.response_format else None,
            "gen_ai.request.temperature": run.temperature,
            "gen_ai.request.max_tokens": run.max_output_tokens,
        }
    )


def _usage_attributes(usage: Usage) -> Attributes:
    """Tokens as receivers count them. They add up all spans, so each token is in a trace once."""
    return _known(
        {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            "upcall.usage.usd": usage.usd,
        }
    )


def _record_attributes(run: Run) -> Attributes:
    return _known(
        {
            "upcall.run.id": run.run_id,
            "upcall.run.status": run.status,
            "upcall.run.api": run.run_api,
            "upcall.run.attempt": run.attempt,
            "upcall.run.rounds": run.round,
            "upcall.run.tool_calls": run.tool_calls,
            "upcall.run.waited_seconds": run.waited_seconds,
            "upcall.run.input_tokens": run.usage.input_tokens,
            "upcall.run.output_tokens": run.usage.output_tokens,
            "upcall.run.usd": run.usage.usd,
            "upcall.run.aws_usd": estimate_aws_usd(run),
            "upcall.run.previous_id": run.previous_run_id,
            "upcall.batch.id": run.batch_id,
            "upcall.batch.line": run.batch_line,
        }
    )


def _known(fields: dict[str, AttributeValue | None]) -> Attributes:
    return {name: value for name, value in fields.items() if value is not None}


def _error_type(run: Run) -> str:
    return run.failure.code if run.failure else run.status
