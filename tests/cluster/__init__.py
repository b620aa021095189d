"""Many machines on this one: a real Ray cluster of three nodes, in a network of its own. `make cluster-test`."""
