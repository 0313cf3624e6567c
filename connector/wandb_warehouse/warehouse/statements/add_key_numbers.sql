-- Numbers for the keys of "$rows" that have none, counting on from the highest.
INSERT INTO key_numbers BY NAME
SELECT
  (row_number() OVER (ORDER BY "key") + (SELECT coalesce(max(key_number), -1) FROM key_numbers))::INTEGER AS key_number,
  "key"
FROM (SELECT DISTINCT "key" FROM "$rows" AS incoming)
ANTI JOIN key_numbers USING ("key")
