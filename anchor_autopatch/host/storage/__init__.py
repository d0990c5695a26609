"""Where an outbox may lie, and the work on it that is kept off the application's threads."""
