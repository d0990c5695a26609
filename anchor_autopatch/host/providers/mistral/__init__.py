"""The Mistral SDK: calls, WebSocket sessions and objects."""
