"""How decoded JSON becomes typed objects. Pure."""
