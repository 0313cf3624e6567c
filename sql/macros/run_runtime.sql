-- macro: run_runtime(run) -> double
-- mirrors: the column Runtime of the runs table
-- grain: one value per run
-- units: seconds
--
-- Seconds computed, as W&B keeps them.
run.runtime
