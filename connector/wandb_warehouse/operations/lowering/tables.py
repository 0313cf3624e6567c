"""What engines say: for each a table of the expressions that no translation gets right.

`_1`, `_2` stand for arguments. What a table lacks, its engine cannot say: that is refused by name. docs/dialects.md
tells which of the engines are executed by tests, and which are only held against their documentation.
"""

from wandb_warehouse.operations.lowering.remote_tables import REMOTE_TABLES

__all__ = ["TABLES"]

_DECIMAL = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"

_SPACES = (
    "\t\n\v\f\r \u00a0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What JavaScript takes for white space."""

_PARSED = (
    "CASE WHEN {trim} = '' THEN 0 WHEN {match} THEN {cast} WHEN {trim} IN ('Infinity', '+Infinity')"
    " THEN {inf} WHEN {trim} = '-Infinity' THEN {minus} END"
)


def _parsed(trim: str, match: str, cast: str, inf: str, minus: str) -> str:
    """The number a text reads as: what matches is cast, so that no cast fails."""
    filled = {"trim": trim, "inf": inf, "minus": minus}
    return _PARSED.format(**filled, match=match.format(trim, _DECIMAL), cast=cast.format(trim))


_KINDS = "WHEN 'string' THEN 'string' WHEN 'boolean' THEN 'bool' WHEN 'array' THEN 'list' WHEN 'object' THEN 'object'"

TABLES: dict[str, dict[str, str]] = {
    "duckdb": {
        "lateral": "yes",
        "infinity": "CAST('Infinity' AS DOUBLE)",
        "minus_infinity": "CAST('-Infinity' AS DOUBLE)",
        "double": "CAST(_1 AS DOUBLE)",
        "without_nan": "NULLIF(_1, CAST('NaN' AS DOUBLE))",
        "refuse": "ERROR(_1)",
        "milliseconds": "EPOCH_MS(_1)",
        "instant": "TO_TIMESTAMP(_1 / 1000.0)",
        "moment": "CAST(_1 AS TIMESTAMPTZ)",
        "day_text": "STRFTIME(_1 AT TIME ZONE 'UTC', '%a %b %d %Y')",
        "iso_text": "STRFTIME(_1 AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')",
        "year": "EXTRACT(YEAR FROM _1 AT TIME ZONE 'UTC')",
        "month": "EXTRACT(MONTH FROM _1 AT TIME ZONE 'UTC')",
        "day": "EXTRACT(DAY FROM _1 AT TIME ZONE 'UTC')",
        "weekday": "EXTRACT(DOW FROM _1 AT TIME ZONE 'UTC')",
        "hour": "EXTRACT(HOUR FROM _1 AT TIME ZONE 'UTC')",
        "minute": "EXTRACT(MINUTE FROM _1 AT TIME ZONE 'UTC')",
        "second": "EXTRACT(SECOND FROM _1 AT TIME ZONE 'UTC')",
        "length": "LENGTH(_1)",
        "position": "STRPOS(_1, _2)",
        "starts_with": "STARTS_WITH(_1, _2)",
        "ends_with": "ENDS_WITH(_1, _2)",
        "trimmed": f"TRIM(_1, '{_SPACES}')",
        "piece": "LIST_EXTRACT(STRING_SPLIT(_1, _2), _3)",
        "pieces": "UNNEST(STRING_SPLIT(_1, _2))",
        "matches": "REGEXP_MATCHES(_1, _2)",
        "digits": "CAST(CAST(_1 AS DOUBLE) AS TEXT)",
        "whole_digits": "CAST(CAST(_1 AS BIGINT) AS TEXT)",
        "parsed_number": _parsed(
            f"TRIM(_1, '{_SPACES}')",
            "REGEXP_MATCHES({}, '{}')",
            "CAST({} AS DOUBLE)",
            "CAST('Infinity' AS DOUBLE)",
            "CAST('-Infinity' AS DOUBLE)",
        ),
        "lines": "CONCAT_WS",
        "quoted": "CAST(TO_JSON(_1) AS TEXT)",
        "document": "CAST(_1 AS JSON)",
        "item": "JSON_EXTRACT(_1, _2)",
        "object_of": "CAST(JSON_EXTRACT(_1, _2) AS TEXT)",
        "kind": "CASE WHEN NOT _1 IS NULL THEN CASE JSON_TYPE(_1) WHEN 'VARCHAR' THEN 'string'"
        " WHEN 'BOOLEAN' THEN 'bool' WHEN 'ARRAY' THEN 'list' WHEN 'OBJECT' THEN 'object'"
        " WHEN 'NULL' THEN 'null' ELSE 'number' END END",
        "unquoted": "JSON_EXTRACT_STRING(_1, '$')",
        "json_number": "CAST(_1 AS DOUBLE)",
        "json_text": "CAST(_1 AS TEXT)",
        "json_length": "JSON_ARRAY_LENGTH(_1)",
        "items": "UNNEST(JSON_EXTRACT(_1, '$[*]'))",
        "remainder": "CAST(_1 AS DOUBLE) % _2",
        "power": "POWER(CAST(_1 AS DOUBLE), _2)",
        "ln": "LN(_1)",
        "log2": "LOG2(_1)",
        "log10": "LOG10(_1)",
        "joined": "STRING_AGG",
        "substring": "SUBSTRING(_1, _2)",
    },
    "postgres": {
        "lateral": "yes",
        "infinity": "CAST('Infinity' AS DOUBLE PRECISION)",
        "minus_infinity": "CAST('-Infinity' AS DOUBLE PRECISION)",
        "double": "CAST(_1 AS DOUBLE PRECISION)",
        "without_nan": "NULLIF(_1, CAST('NaN' AS DOUBLE PRECISION))",
        # No function fails with words of ours; a cast that fails quotes what it was given.
        "refuse_text": "CAST(CAST(_1 || COALESCE(CAST(_2 AS TEXT), '') AS INTEGER) AS TEXT)",
        "refuse_number": "CAST(CAST(_1 || COALESCE(CAST(_2 AS TEXT), '') AS INTEGER) AS DOUBLE PRECISION)",
        "refuse_boolean": "CAST(CAST(_1 || COALESCE(CAST(_2 AS TEXT), '') AS INTEGER) AS BOOLEAN)",
        "milliseconds": "CAST(FLOOR(EXTRACT(EPOCH FROM _1) * 1000) AS DOUBLE PRECISION)",
        "instant": "TO_TIMESTAMP(_1 / 1000.0)",
        "moment": "CAST(_1 AS TIMESTAMPTZ)",
        "day_text": "TO_CHAR(_1 AT TIME ZONE 'UTC', 'Dy Mon DD YYYY')",
        "iso_text": "TO_CHAR(_1 AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
        **{
            name: f"CAST(EXTRACT({part} FROM _1 AT TIME ZONE 'UTC') AS DOUBLE PRECISION)"
            for name, part in (
                ("year", "YEAR"),
                ("month", "MONTH"),
                ("day", "DAY"),
                ("weekday", "DOW"),
                ("hour", "HOUR"),
                ("minute", "MINUTE"),
            )
        },
        "second": "CAST(FLOOR(EXTRACT(SECOND FROM _1 AT TIME ZONE 'UTC')) AS DOUBLE PRECISION)",
        "length": "LENGTH(_1)",
        "position": "STRPOS(_1, _2)",
        "starts_with": "STARTS_WITH(_1, _2)",
        "ends_with": "RIGHT(_1, LENGTH(_2)) = _2",
        "trimmed": f"BTRIM(_1, '{_SPACES}')",
        "piece": "CASE WHEN _3 <= CARDINALITY(STRING_TO_ARRAY(_1, _2)) THEN SPLIT_PART(_1, _2, _3) END",
        "pieces": "UNNEST(STRING_TO_ARRAY(_1, _2))",
        "matches": "_1 ~ _2",
        "digits": "CAST(CAST(_1 AS DOUBLE PRECISION) AS TEXT)",
        "whole_digits": "CAST(CAST(_1 AS BIGINT) AS TEXT)",
        # Numbers that no double holds fail to be cast to one, and JavaScript reads them as infinite or 0.
        "parsed_number": _parsed(
            f"BTRIM(_1, '{_SPACES}')",
            "{} ~ '{}'",
            "CASE WHEN ABS(CAST({0} AS DECIMAL)) > CAST('1.7976931348623157e308' AS DECIMAL) THEN"
            " SIGN(CAST({0} AS DECIMAL)) * CAST('Infinity' AS DOUBLE PRECISION)"
            " WHEN ABS(CAST({0} AS DECIMAL)) < CAST('2.3e-308' AS DECIMAL) THEN 0"
            " ELSE CAST({0} AS DOUBLE PRECISION) END",
            "CAST('Infinity' AS DOUBLE PRECISION)",
            "CAST('-Infinity' AS DOUBLE PRECISION)",
        ),
        "lines": "CONCAT_WS",
        "quoted": "CAST(TO_JSON(_1) AS TEXT)",
        "document": "_1",
        "item": "JSONB_EXTRACT_PATH",
        "kind": f"CASE JSONB_TYPEOF(_1) {_KINDS} WHEN 'null' THEN 'null' WHEN 'number' THEN 'number' END",
        "unquoted": "_1 #>> CAST('{}' AS TEXT[])",
        "json_number": "CAST(_1 AS DOUBLE PRECISION)",
        "json_text": "CAST(_1 AS TEXT)",
        "json_length": "JSONB_ARRAY_LENGTH(CAST(_1 AS JSONB))",
        "items": "JSONB_ARRAY_ELEMENTS(CASE WHEN _1 LIKE '[%' THEN CAST(_1 AS JSONB) ELSE CAST('[]' AS JSONB) END)",
        "remainder": "CAST(MOD(CAST(_1 AS DECIMAL), CAST(_2 AS DECIMAL)) AS DOUBLE PRECISION)",
        "power": "POWER(CAST(_1 AS DOUBLE PRECISION), _2)",
        "ln": "LN(_1)",
        "log2": "LN(_1) / LN(CAST(2 AS DOUBLE PRECISION))",
        "log10": "LOG(_1)",
        "joined": "STRING_AGG",
        "decoded": "CAST(_1 AS JSON) #>> CAST('{}' AS TEXT[])",
    },
    "spark": {
        "lateral": "yes",
        "infinity": "CAST('Infinity' AS DOUBLE)",
        "minus_infinity": "CAST('-Infinity' AS DOUBLE)",
        "double": "CAST(_1 AS DOUBLE)",
        "without_nan": "NULLIF(_1, CAST('NaN' AS DOUBLE))",
        "refuse": "RAISE_ERROR(_1)",
        "milliseconds": "UNIX_MILLIS(_1)",
        "instant": "TIMESTAMP_MILLIS(CAST(_1 AS BIGINT))",
        "moment": "CAST(_1 AS TIMESTAMP)",
        # Sessions show times in their own zone: UTC is asked of them.
        "day_text": "DATE_FORMAT(_1, 'EEE MMM dd yyyy')",
        "iso_text": "CONCAT(DATE_FORMAT(_1, 'yyyy-MM-dd'), 'T', DATE_FORMAT(_1, 'HH:mm:ss.SSS'), 'Z')",
        "year": "EXTRACT(YEAR FROM _1)",
        "month": "EXTRACT(MONTH FROM _1)",
        "day": "EXTRACT(DAY FROM _1)",
        "weekday": "DAYOFWEEK(_1) - 1",
        "hour": "EXTRACT(HOUR FROM _1)",
        "minute": "EXTRACT(MINUTE FROM _1)",
        "second": "FLOOR(EXTRACT(SECOND FROM _1))",
        "length": "LENGTH(_1)",
        "position": "LOCATE(_2, _1)",
        "starts_with": "STARTSWITH(_1, _2)",
        "ends_with": "ENDSWITH(_1, _2)",
        "trimmed": f"TRIM(BOTH '{_SPACES}' FROM _1)",
        "piece": "CASE WHEN _3 <= SIZE(SPLIT(_1, CONCAT('\\\\Q', _2, '\\\\E'), -1)) THEN SPLIT_PART(_1, _2, _3) END",
        "matches": "_1 RLIKE _2",
        "whole_digits": "CAST(CAST(_1 AS BIGINT) AS STRING)",
        "digits": "CAST(CAST(_1 AS DOUBLE) AS STRING)",
        "parsed_number": _parsed(
            f"TRIM(BOTH '{_SPACES}' FROM _1)",
            "{} RLIKE '{}'",
            "CAST({} AS DOUBLE)",
            "CAST('Infinity' AS DOUBLE)",
            "CAST('-Infinity' AS DOUBLE)",
        ),
        "lines": "CONCAT_WS",
        "quoted": "SUBSTRING(TO_JSON(ARRAY(_1)), 2, LENGTH(TO_JSON(ARRAY(_1))) - 2)",
        "document": "_1",
        "json_length": "JSON_ARRAY_LENGTH(_1)",
        "remainder": "CAST(_1 AS DOUBLE) % _2",
        "power": "POWER(CAST(_1 AS DOUBLE), _2)",
        "ln": "LN(_1)",
        "log2": "LOG2(_1)",
        "log10": "LOG10(_1)",
        "joined": "LISTAGG",
        "decoded": "GET_JSON_OBJECT(CONCAT('{\"v\":', _1, '}'), '$.v')",
    },
    **REMOTE_TABLES,
}
"""Of each engine, what it says for what."""
