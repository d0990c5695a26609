"""Web servers, web frameworks and task queues: each says which request or task is at work."""
