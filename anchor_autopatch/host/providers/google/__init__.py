"""The Google Gen AI SDK: calls, files, live sessions, interactions and objects."""
