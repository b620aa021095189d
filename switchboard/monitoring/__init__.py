"""Who watches the watcher: proof that the whole way to people works, and windows for machines that look on."""
