"""The API's bytes: server-sent events, JSON, accumulated messages, rate-limit headers (pure)."""
