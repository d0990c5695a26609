"""Delivery: what is told of incidents is committed first, then sent, until it has arrived."""
