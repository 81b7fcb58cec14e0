"""Send a run that has ended, as a trace, to the operator's OpenTelemetry endpoint."""

from upcall.domain.errors import NotFound
from upcall.domain.model_turns import last_attempt
from upcall.domain.run_trace import RunTrace
from upcall.domain.span import export_request
from upcall.domain.trace_content import TraceContent
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import RunRepository, SpanSender


def export_trace(
    run_id: str,
    *,
    service_name: str,
    with_content: bool,
    repository: RunRepository,
    send_spans: SpanSender,
) -> None:
    """Send the trace of a run's last attempt. Sent again, it has the same ids.

    What is sent comes from the table: anybody who may put events on the bus could make one up. Nothing is
    sent of a run whose caller's trace is not sampled. Raises TransientError and RequestRejected.
    """
    try:
        run = repository.get_run(run_id)
    except NotFound:
        logger.warning("no run to trace")
        return
    trace = RunTrace(run)
    if not run.ended or not trace.sampled:
        logger.info("trace not exported", status=run.status)
        return
    ledger = repository.get_ledger(run_id)
    open_calls = repository.list_open_calls(run)
    attempt = last_attempt(run, ledger, open_calls)
    content = TraceContent(with_content, repository.get_message(run) if with_content else None)
    spans = list(trace.spans(attempt, ledger, open_calls, content))
    rejected = send_spans(export_request(spans, trace.trace_id, trace.flags, {"service.name": service_name}))
    if rejected:
        logger.warning("spans rejected", spans=len(spans), rejected=rejected)
    logger.info("trace exported", spans=len(spans))
