"""Where a command's runs are: on the local stack, or on a deployed one."""
