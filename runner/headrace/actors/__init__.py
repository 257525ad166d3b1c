"""The actors: async functions that own their ends of the channels and know no other actor."""
