"""The machine or container around us: free resources, processes killed by the kernel, and orphans to reap."""
