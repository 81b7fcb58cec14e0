"""The local stack: `template.yaml` deployed in one process, without an AWS account or an API key."""
