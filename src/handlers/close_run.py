"""Ends of executions, by their events: each closes its run, unless the workflow has done so itself."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from upcall.closing import close_told
from upcall.errors import InvalidInput
from upcall.messages import messages
from upcall.queues import bury_end


@messages
def lambda_handler(record: SQSRecord) -> None:
    """Close the run that an event is about; an event that nobody can read is a dead letter."""
    try:
        close_told(record.body)
    except InvalidInput as error:
        bury_end(record.body, str(error))
