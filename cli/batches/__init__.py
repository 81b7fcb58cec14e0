"""What `upcall batch submit` does with a file: read it, and upload it unless it fits into the request."""
