"""What a call returns: responses, streams, pages and files, blocking and asynchronous."""
