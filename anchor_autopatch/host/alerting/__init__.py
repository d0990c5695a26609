"""The first message about a new incident, told by the process that saw it."""
