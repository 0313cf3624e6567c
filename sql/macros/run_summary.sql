-- macro: run_summary(run) -> json
-- mirrors: `run.summary`
-- grain: one value per run
-- units: as written
--
-- Nested, as it was written. `run_summary_value` gives one key.
run.summary
