"""The Anthropic SDK: messages, and the agents that it manages."""
