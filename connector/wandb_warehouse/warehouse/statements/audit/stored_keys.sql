-- What `history` holds of the touched runs, where it is read by name: values by run and key, and the last step.
CREATE OR REPLACE TEMP TABLE "$stored" AS
SELECT entity, project, run_id, "key", count(*) AS "values", max(step) AS last_step
FROM history
SEMI JOIN touched USING (entity, project, run_id)
GROUP BY entity, project, run_id, "key"
