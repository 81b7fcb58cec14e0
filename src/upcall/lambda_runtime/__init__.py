"""What handlers are made of: workflow tasks, HTTP routes, SQS batches, the caller's identity, the clock."""
