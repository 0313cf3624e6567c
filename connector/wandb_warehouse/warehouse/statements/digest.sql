SELECT count(*), coalesce(sum(md5_number_lower(line)::HUGEINT), 0), coalesce(sum(md5_number_upper(line)::HUGEINT), 0)
FROM (SELECT $row AS line FROM "$table")
