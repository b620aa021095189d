"""Many machines behind one controller: who may run which account, and until when.

From the inside out: `leases` makes the decisions, without clocks or I/O; `browser_host` runs on each machine,
`cluster_hosts` in the controller; `guard` kills browsers whose lease has expired, after the kernel
(`controller.host.deadline`). Ray is the transport.
Only `ray_links` depends on it, and imports it only if a cluster is configured.
"""
