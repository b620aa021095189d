"""Delivery of updates to a bot: the queue that it polls, and its webhook."""
