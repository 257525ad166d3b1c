"""The actors: each an async function that owns its ends of the channels and knows no other actor."""
