SELECT
  entity,
  project,
  run_id,
  runs.project_id,
  runs.storage_id,
  runs.state AS run_state,
  runs.heartbeat_at,
  runs.history_line_count,
  runs.deleted_at,
  ledger.state,
  ledger.error,
  ledger."source",
  ledger.expected_rows,
  ledger.stored_rows,
  ledger.stored_values,
  ledger.last_step,
  ledger.expected_last_step,
  CASE WHEN moments.last_step = ledger.expected_last_step THEN moments.last_value END AS last_timestamp,
  ledger.listing_digest,
  ledger.detail_digest,
  ledger.synced_at,
  ledger.details_as,
  ledger.history_as,
  ledger.sampled_as,
  ledger.sampled_rows,
  ledger.sampled_values
FROM runs
FULL JOIN run_ledger AS ledger USING (entity, project, run_id)
LEFT JOIN (FROM metrics SELECT entity, project, run_id, last_step, last_value WHERE "key" = '_timestamp') AS moments
  USING (entity, project, run_id)
ORDER BY entity, project, run_id
