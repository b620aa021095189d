"""How updates reach a bot: the queue that it polls, and its webhook."""
