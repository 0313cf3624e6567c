-- macro: run_user(run) -> text
-- mirrors: `run.user.username`
-- grain: one value per run
-- units: none
--
-- Login of who started the run.
run.username
