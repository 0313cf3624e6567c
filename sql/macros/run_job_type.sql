-- macro: run_job_type(run) -> text
-- mirrors: `run.job_type`
-- grain: one value per run
-- units: none
--
-- Null where the run has none.
run.job_type
