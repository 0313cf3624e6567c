-- Every value of "$table" is read to be hashed: what is damaged on the disk shows only then.
SELECT count(*), bit_xor(hash(each)) FROM "$table" AS each
