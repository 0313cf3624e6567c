-- view: run_overview
-- mirrors: the runs table of a project's workspace
-- grain: one row per run that is not deleted
-- units: runtime in seconds
--
-- `history_rows` is what the server counts, `stored_rows` what is in `history`; `sync_state` says whether they agree.
-- `url_path` goes behind the address of the W&B host.
SELECT
  runs.entity,
  runs.project,
  runs.run_id,
  runs.name,
  runs.state,
  runs.username,
  runs.run_group,
  runs.job_type,
  runs.sweep_id,
  runs.tags,
  runs.created_at,
  runs.heartbeat_at,
  runs.runtime,
  runs.last_step,
  runs.history_line_count AS history_rows,
  run_ledger.stored_rows,
  run_ledger.state AS sync_state,
  COALESCE(config_counts.config_keys, 0) AS config_keys,
  COALESCE(summary_counts.summary_keys, 0) AS summary_keys,
  runs.entity || '/' || runs.project || '/runs/' || runs.run_id AS url_path
FROM runs
LEFT JOIN run_ledger
  ON run_ledger.entity = runs.entity
  AND run_ledger.project = runs.project
  AND run_ledger.run_id = runs.run_id
LEFT JOIN (
  SELECT entity, project, run_id, COUNT(DISTINCT key) AS config_keys
  FROM run_config
  GROUP BY entity, project, run_id
) AS config_counts
  ON config_counts.entity = runs.entity
  AND config_counts.project = runs.project
  AND config_counts.run_id = runs.run_id
LEFT JOIN (
  SELECT entity, project, run_id, COUNT(DISTINCT key) AS summary_keys
  FROM run_summary
  GROUP BY entity, project, run_id
) AS summary_counts
  ON summary_counts.entity = runs.entity
  AND summary_counts.project = runs.project
  AND summary_counts.run_id = runs.run_id
WHERE runs.deleted_at IS NULL
