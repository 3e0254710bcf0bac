"""Several processes: starting and ending their group, and sharding one sample over some of them."""
