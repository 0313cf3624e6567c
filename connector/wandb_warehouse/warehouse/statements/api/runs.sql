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
  read_only
FROM runs
WHERE entity = $$entity
  AND project = $$project
  AND deleted_at IS NULL
  AND list_contains($$runs, run_id)
