-- macro: run_group(run) -> text
-- mirrors: `run.group`
-- grain: one value per run
-- units: none
--
-- Null where the run has none.
run.run_group
