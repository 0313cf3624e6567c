"""The notation: text read, names resolved, types checked; gives the typed tree."""
