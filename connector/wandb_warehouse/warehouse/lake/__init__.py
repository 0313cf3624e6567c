"""The parquet lake: the tables of a warehouse as parquet files, and one manifest that says which of them count.

Files are written once and never changed. A sync writes new ones and replaces `manifest.json` in one step; whoever reads
the files that one manifest names reads one whole sync. `docs/lake.md` tells the layout.
"""
