"""Histories of runs: which rows, and in which form they come.

ask            a question for rows
holding        what the warehouse has of a history
columns        one metric's values in some rows
rows           rows in hand, as columns
dicts          rows as dicts
frames         rows as frames of pandas, polars and Arrow
points         rows put together of single values, in Arrow
stored_points  the values of some runs, by numbers or by names
reading        rows out of the warehouse, by points or by SQL
ahead          reading ahead for who asks one run after the other
scanning       every row, window by window
exporting      parquet files of a history
"""
