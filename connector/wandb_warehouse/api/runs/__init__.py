"""Runs, and what hangs on one.

run         `Run`
attributes  what it is
history     its history
rows        what the warehouse stores of it
listing     `Runs`
summary     its summary
files       `Files`, `File`
console     `ConsoleLogs`
"""
