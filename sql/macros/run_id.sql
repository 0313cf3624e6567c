-- macro: run_id(run) -> text
-- mirrors: `run.id`
-- grain: one value per run
-- units: none
--
-- Unique within a project only.
run.run_id
