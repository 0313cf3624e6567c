-- macro: run_name(run) -> text
-- mirrors: `run.display_name`
-- grain: one value per run
-- units: none
--
-- As the interface shows it; not unique.
run.name
