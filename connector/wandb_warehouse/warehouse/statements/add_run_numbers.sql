-- Numbers for the runs of "$rows" that have none, counting on from the highest.
INSERT INTO run_numbers BY NAME
SELECT
  (row_number() OVER (ORDER BY entity, project, run_id) + (SELECT coalesce(max(run_number), -1) FROM run_numbers))::INTEGER
    AS run_number,
  entity,
  project,
  run_id
FROM (SELECT DISTINCT entity, project, run_id FROM "$rows" AS incoming)
ANTI JOIN run_numbers USING (entity, project, run_id)
