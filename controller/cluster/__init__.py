"""Many machines behind one controller: who may run which account, and until when.

From the inside out: `leases` decides, without clocks or I/O; `browser_host` is a machine's side, `cluster_hosts` the
controller's; `deadline` and `guard` end browsers whose lease is over. Ray carries what they say to each other and is
known to `ray_links` alone, which imports it when many machines are asked for.
"""
