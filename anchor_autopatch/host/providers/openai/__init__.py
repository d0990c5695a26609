"""The OpenAI SDK: its calls, sessions, objects, tools and fees."""
