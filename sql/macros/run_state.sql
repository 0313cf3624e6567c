-- macro: run_state(run) -> text
-- mirrors: `run.state`
-- grain: one value per run
-- units: none
--
-- running, finished, failed, crashed, killed, pending, preempting or preempted.
run.state
