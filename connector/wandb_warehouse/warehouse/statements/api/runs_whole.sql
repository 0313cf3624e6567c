SELECT
  run_id,
  project_id,
  storage_id,
  "name",
  state,
  username,
  user_name,
  run_group,
  job_type,
  sweep_id,
  "commit",
  description,
  notes,
  CAST(tags AS VARCHAR) AS tags,
  created_at,
  heartbeat_at,
  last_step,
  history_line_count,
  read_only,
  CAST(config AS VARCHAR) AS config,
  CAST(raw_config AS VARCHAR) AS raw_config,
  CAST(summary AS VARCHAR) AS summary,
  CAST(system_metrics AS VARCHAR) AS system_metrics,
  CAST(history_keys AS VARCHAR) AS history_keys
FROM runs
WHERE entity = $$entity
  AND project = $$project
  AND deleted_at IS NULL
  AND (CAST($$runs AS VARCHAR[]) IS NULL OR list_contains(CAST($$runs AS VARCHAR[]), run_id))
