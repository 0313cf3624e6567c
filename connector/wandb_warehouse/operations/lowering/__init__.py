"""The typed tree as SQL: lists become SELECTs, scalars expressions, in the dialect of an engine."""
