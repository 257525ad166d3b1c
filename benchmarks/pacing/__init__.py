"""How well a pacer uses a rate limit: worlds, the ideal time in each, and the policies that are compared."""
