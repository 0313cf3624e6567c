-- The same as `stored_metrics.sql`, where `history` is read by name.
CREATE OR REPLACE TEMP TABLE stored_metrics AS
SELECT
  entity,
  project,
  run_id,
  "key",
  count(*) AS stored_count,
  min(step) AS first_step,
  max(step) AS last_step,
  arg_max_null(CASE WHEN "type" = 'number' THEN "value" END, step::HUGEINT * 4611686018427387904 + seq) AS last_value,
  min("value") FILTER ("type" = 'number' AND NOT isnan("value")) AS min_value,
  max("value") FILTER ("type" = 'number' AND NOT isnan("value")) AS max_value
FROM history
SEMI JOIN touched USING (entity, project, run_id)
GROUP BY entity, project, run_id, "key"
