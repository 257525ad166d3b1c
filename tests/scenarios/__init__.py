"""Scenarios for pacing: a simulated server, a file of jobs, and the ideal time, played in virtual time."""
