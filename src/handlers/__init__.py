"""One file per Lambda of the workflow and of the API."""
