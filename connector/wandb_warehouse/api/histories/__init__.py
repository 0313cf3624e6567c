"""Histories of runs: which rows, and in which form they come.

rows       what is asked for, what is held, rows of many runs by SQL
points     rows of one run, put together in Arrow
columns    one metric's values in some rows
frames     rows as frames of pandas, polars and Arrow
ahead      reading ahead for who asks one run after the other
scanning   every row, window by window
exporting  parquet files of a history
"""
