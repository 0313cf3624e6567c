COPY ($query) TO $target (FORMAT parquet, COMPRESSION zstd)
