-- Read from the file that was just written, not from what it was written from.
INSERT INTO next_segment_runs BY NAME
SELECT '$table' AS "table", $file AS file, entity, project, run_id, count(*) AS "rows"
FROM $source
GROUP BY entity, project, run_id
