-- view: history
-- mirrors: `run.scan_history()`: every logged value of every step, nothing sampled
-- grain: one row per logged value
-- units: as logged
--
-- The rows stand in `history_values`, with a number for each run and each metric.
SELECT
  run_numbers.entity,
  run_numbers.project,
  run_numbers.run_id,
  key_numbers.key,
  stored.step,
  stored.seq,
  CAST(stored.type AS TEXT) AS type,
  stored.value,
  stored.value_json
FROM history_values AS stored
JOIN run_numbers
  ON run_numbers.run_number = stored.run_number
JOIN key_numbers
  ON key_numbers.key_number = stored.key_number
