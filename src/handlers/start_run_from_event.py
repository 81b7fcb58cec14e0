"""Messages of the request queue: each starts a run, or goes to the dead letters with the reason."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.errors import InvalidInput, KeyReused
from upcall.incoming import start_from_message
from upcall.log import logger
from upcall.queues import bury_request

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def start_or_bury(record: SQSRecord) -> None:
    """Start the run that a message asks for; one that nobody can read is not tried again."""
    try:
        run = start_from_message(record.body, record.message_id)
    except (InvalidInput, KeyReused) as error:
        logger.warning("message not read", message_id=record.message_id)
        bury_request(record.body, str(error))
    else:
        logger.info("run started by a message", run_id=run.run_id, message_id=record.message_id)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle a batch; what fails for weather is named in the answer, and comes again."""
    return process_partial_response(
        event=event, record_handler=start_or_bury, processor=processor, context=context
    )
