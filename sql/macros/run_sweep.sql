-- macro: run_sweep(run) -> text
-- mirrors: `run.sweep`
-- grain: one value per run
-- units: none
--
-- Id of the sweep; null for runs of none.
run.sweep_id
