"""What the dispatcher asks before and after an attempt: retry, stop, spend, or leave a dead server alone. Pure."""
