SELECT
  run_id,
  CAST(config AS VARCHAR) AS config,
  CAST(raw_config AS VARCHAR) AS raw_config,
  CAST(summary AS VARCHAR) AS summary,
  CAST(system_metrics AS VARCHAR) AS system_metrics,
  CAST(history_keys AS VARCHAR) AS history_keys
FROM runs
WHERE entity = $$entity
  AND project = $$project
  AND deleted_at IS NULL
  AND list_contains($$runs, run_id)
