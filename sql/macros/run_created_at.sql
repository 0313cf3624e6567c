-- macro: run_created_at(run) -> timestamp
-- mirrors: `run.created_at`
-- grain: one value per run
-- units: time
--
-- Creation of the run.
run.created_at
