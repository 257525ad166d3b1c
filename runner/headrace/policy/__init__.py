"""What the dispatcher asks about an attempt: send it, repeat it, stop the run? Pure."""
