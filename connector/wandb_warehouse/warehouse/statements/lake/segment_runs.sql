FROM next_segment_runs ORDER BY ALL
