"""The laptop cloud: the stack of `template.yaml`, running in one process, with no account and no key."""
