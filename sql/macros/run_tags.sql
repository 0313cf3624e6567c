-- macro: run_tags(run) -> json
-- mirrors: `run.tags`
-- grain: one value per run
-- units: none
--
-- A list of texts in stored order.
run.tags
