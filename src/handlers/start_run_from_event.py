"""Messages of the request queue: each starts a run, or goes to the dead letters with the reason."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from upcall.errors import InvalidInput, KeyReused
from upcall.incoming import start_from_message
from upcall.messages import messages
from upcall.queues import bury_request


@messages
def lambda_handler(record: SQSRecord) -> None:
    """Start the run that a message asks for; one that nobody can read is not tried again."""
    try:
        start_from_message(record.body, record.message_id)
    except (InvalidInput, KeyReused) as error:
        bury_request(record.body, str(error))
