"""The programs that are measured. Each runs by itself, in the environment of its peer, and imports no other."""
