"""Downloads and webhooks to URLs that a model or a caller names: checked addresses, limited time and size."""
