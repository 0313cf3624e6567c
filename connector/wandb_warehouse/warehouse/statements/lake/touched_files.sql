-- Files of the lake that hold rows of touched runs.
SELECT DISTINCT "table", file FROM segment_runs SEMI JOIN touched USING (entity, project, run_id) ORDER BY ALL
