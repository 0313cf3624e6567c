SELECT "key", key_number
FROM key_numbers
WHERE list_contains(CAST($$keys AS VARCHAR[]), "key")
  OR list_contains(CAST($$numbers AS INTEGER[]), key_number)
