-- Runs of a project, those of some ids or all; `whole` with their documents.
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
  CASE WHEN $$whole THEN CAST(config AS VARCHAR) END AS config,
  CASE WHEN $$whole THEN CAST(raw_config AS VARCHAR) END AS raw_config,
  CASE WHEN $$whole THEN CAST(summary AS VARCHAR) END AS summary,
  CASE WHEN $$whole THEN CAST(system_metrics AS VARCHAR) END AS system_metrics,
  CASE WHEN $$whole THEN CAST(history_keys AS VARCHAR) END AS history_keys
FROM runs
WHERE entity = $$entity
  AND project = $$project
  AND deleted_at IS NULL
  AND (CAST($$runs AS VARCHAR[]) IS NULL OR list_contains(CAST($$runs AS VARCHAR[]), run_id))
