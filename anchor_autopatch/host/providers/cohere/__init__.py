"""The Cohere SDK: calls, and objects that are worked on after the request."""
