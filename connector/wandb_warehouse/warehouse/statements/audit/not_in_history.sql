-- Runs of "samples" (rows of `history_sampled`) with values that `history` does not have at that key and step.
SELECT entity, project, run_id,
  'sampled values that the history does not have: ' || count(*)
    || ', e.g. key ' || any_value("key" ORDER BY "key", step) || ', step ' || any_value(step ORDER BY "key", step) AS detail
FROM samples AS sampled
ANTI JOIN (FROM history SEMI JOIN touched USING (entity, project, run_id)) AS whole
  ON sampled.entity = whole.entity
 AND sampled.project = whole.project
 AND sampled.run_id = whole.run_id
 AND sampled."key" = whole."key"
 AND sampled.step = whole.step
 AND sampled."type" = whole."type"
 AND sampled."value" IS NOT DISTINCT FROM whole."value"
 AND coalesce(sampled.value_json::VARCHAR, whole.value_json::VARCHAR, '')
   = coalesce(whole.value_json::VARCHAR, sampled.value_json::VARCHAR, '')
GROUP BY entity, project, run_id
