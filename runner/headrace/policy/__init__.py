"""What the user asks for (`options`), and policies that decide what to do about a job or an attempt. Pure.

Send it, retry it, stop the run: nothing here waits, reads a clock or does I/O.
"""
