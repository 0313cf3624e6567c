-- Rows of runs that the load was not announced to touch: what the lake holds of them was not looked at.
SELECT count(*) FROM fingerprints ANTI JOIN touched USING (entity, project, run_id) WHERE run_id <> ''
