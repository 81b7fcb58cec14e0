"""`upcall tool`: calls a tool in this process, as its Lambda function would, without a stack."""
