"""The pooled HTTP/1.1 transport on trio."""
