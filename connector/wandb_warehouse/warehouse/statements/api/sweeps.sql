SELECT
  sweep_id,
  storage_id,
  display_name,
  method,
  state,
  description,
  CAST(config AS VARCHAR) AS config,
  config_text,
  best_loss,
  created_at,
  updated_at,
  run_count,
  expected_run_count
FROM sweeps
WHERE entity = $$entity
  AND project = $$project
ORDER BY created_at, sweep_id
