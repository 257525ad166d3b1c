"""What a call sends: options, URL, headers and body (pure)."""
