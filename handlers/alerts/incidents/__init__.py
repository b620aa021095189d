"""One incident of a chat, in memory and stored, and what its messages should say: decided without sending."""
