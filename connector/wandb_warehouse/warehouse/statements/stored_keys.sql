-- What "$table", whose rows are numbered, holds of the touched runs: values by run and key, and the last step. A number
-- without a meaning shows as a null key, one that stands twice doubles the values.
CREATE OR REPLACE TEMP TABLE "$stored" AS
SELECT entity, project, run_id, "key", "values", last_step
FROM (
  SELECT run_number, key_number, count(*) AS "values", max(step) AS last_step
  FROM "$table"
  SEMI JOIN (FROM run_numbers SEMI JOIN touched USING (entity, project, run_id)) USING (run_number)
  GROUP BY run_number, key_number
)
JOIN run_numbers USING (run_number)
LEFT JOIN key_numbers USING (key_number)
