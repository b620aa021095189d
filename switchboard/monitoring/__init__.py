"""Self-monitoring: proof that the whole path to people works, and endpoints for external monitoring."""
