"""The room of many machines."""
