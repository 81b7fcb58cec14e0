"""Ends of executions, by their events: each closes its run, unless the workflow has done so itself."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.closing import close_told
from upcall.errors import InvalidInput
from upcall.queues import bury_end

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def close_or_bury(record: SQSRecord) -> None:
    """Close the run that an event is about; an event that nobody can read is a dead letter."""
    try:
        close_told(record.body)
    except InvalidInput as error:
        bury_end(record.body, str(error))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle a batch; what fails for weather is named in the answer, and comes again."""
    return process_partial_response(
        event=event, record_handler=close_or_bury, processor=processor, context=context
    )
