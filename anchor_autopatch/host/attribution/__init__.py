"""Who a call is for: gathered from headers, rules and environment, put together, and enforced."""
