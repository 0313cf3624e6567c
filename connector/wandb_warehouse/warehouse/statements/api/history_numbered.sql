-- Values of the histories of some runs in a window of steps, of all their metrics or of `keys`, by numbers.
-- The bounds say nothing that the lists do not; by them, blocks of a large table are passed over.
SELECT run_number AS run, key_number AS "key", step, seq, type, "value", value_json
FROM $stored
WHERE run_number BETWEEN $$first AND $$last
  AND run_number IN (SELECT unnest($$runs))
  AND key_number BETWEEN $$first_key AND $$last_key
  AND (len($$keys) = 0 OR list_contains($$keys, key_number))
  AND step >= $$low
  AND step < $$high
