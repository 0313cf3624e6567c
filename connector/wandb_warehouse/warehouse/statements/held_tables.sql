-- Logged tables that are stored, and how many cells each has: what is complete is not fetched again.
SELECT
  entity,
  project,
  run_id,
  "key",
  "path",
  sha256,
  state <> 'failed' AS complete,
  coalesce(row_count * column_count, 0)::BIGINT AS cells
FROM logged_tables
