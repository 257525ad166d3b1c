"""Policies that decide what to do about a job or an attempt: send it, retry it, stop the run. Pure."""
