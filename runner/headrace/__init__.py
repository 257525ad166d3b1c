"""headrace: bulk API jobs, as fast as the rate limits allow, never losing or paying twice for an answer."""
