"""What engines say that no test here can run: held against their documentation, parsed back, and no more.

`listing.py` has the functions that may appear in them; one that is not there is refused.
"""

__all__ = ["REMOTE_TABLES"]

_DECIMAL = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_WHITE = (
    "\t\n\v\f\r \u00a0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def _parsed(trim: str, match: str, cast: str, double: str) -> str:
    """The number a text reads as: what matches is cast, so that no cast fails."""
    return (
        f"CASE WHEN {trim} = '' THEN 0 WHEN {match.format(trim, _DECIMAL)} THEN {cast.format(trim)}"
        f" WHEN {trim} IN ('Infinity', '+Infinity') THEN {double.format('inf')}"
        f" WHEN {trim} = '-Infinity' THEN {double.format('-inf')} END"
    )


def _failing(text_type: str, double: str, boolean: str, whole: str) -> dict[str, str]:
    """No function fails with words of ours; a cast that fails quotes what it was given."""
    failed = f"CAST(_1 || COALESCE(CAST(_2 AS {text_type}), '') AS {whole})"
    return {
        "refuse_text": f"CAST({failed} AS {text_type})",
        "refuse_number": f"CAST({failed} AS {double})",
        "refuse_boolean": f"CAST({failed} AS {boolean})",
    }


REMOTE_TABLES: dict[str, dict[str, str]] = {
    "snowflake": {
        "lateral": "yes",
        "infinity": "CAST('inf' AS DOUBLE)",
        "minus_infinity": "CAST('-inf' AS DOUBLE)",
        "double": "CAST(_1 AS DOUBLE)",
        "without_nan": "NULLIF(_1, CAST('NaN' AS DOUBLE))",
        **_failing("VARCHAR", "DOUBLE", "BOOLEAN", "INTEGER"),
        "milliseconds": "DATE_PART(EPOCH_MILLISECOND, _1)",
        "instant": "TO_TIMESTAMP_TZ(CAST(_1 AS BIGINT), 3)",
        "moment": "CAST(_1 AS TIMESTAMPTZ)",
        "day_text": "TO_CHAR(CONVERT_TIMEZONE('UTC', _1), 'DY MON DD YYYY')",
        "iso_text": "TO_CHAR(CONVERT_TIMEZONE('UTC', _1), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF3\"Z\"')",
        **{
            name: f"DATE_PART({part}, CONVERT_TIMEZONE('UTC', _1))"
            for name, part in (
                ("year", "YEAR"),
                ("month", "MONTH"),
                ("day", "DAY"),
                ("weekday", "DAYOFWEEKISO"),
                ("hour", "HOUR"),
                ("minute", "MINUTE"),
                ("second", "SECOND"),
            )
        },
        "weekday": "MOD(DATE_PART(DAYOFWEEKISO, CONVERT_TIMEZONE('UTC', _1)), 7)",
        "length": "LENGTH(_1)",
        "position": "CHARINDEX(_2, _1)",
        "starts_with": "STARTSWITH(_1, _2)",
        "ends_with": "ENDSWITH(_1, _2)",
        "trimmed": f"TRIM(_1, '{_WHITE}')",
        "piece": "CASE WHEN _3 <= ARRAY_SIZE(SPLIT(_1, _2)) THEN SPLIT_PART(_1, _2, _3) END",
        "matches": "REGEXP_INSTR(_1, _2) > 0",
        "digits": "CAST(CAST(_1 AS DOUBLE) AS VARCHAR)",
        "whole_digits": "CAST(CAST(_1 AS BIGINT) AS VARCHAR)",
        "parsed_number": _parsed(
            f"TRIM(_1, '{_WHITE}')",
            "REGEXP_INSTR({}, '{}') > 0",
            "TRY_CAST({} AS DOUBLE)",
            "CAST('{}' AS DOUBLE)",
        ),
        "quoted": "TO_JSON(TO_VARIANT(_1))",
        "document": "_1",
        "json_length": "ARRAY_SIZE(PARSE_JSON(_1))",
        "remainder": "MOD(CAST(_1 AS DOUBLE), _2)",
        "power": "POWER(CAST(_1 AS DOUBLE), _2)",
        "ln": "LN(_1)",
        "log2": "LOG(2, _1)",
        "log10": "LOG(10, _1)",
        "joined": "LISTAGG",
        "decoded": "CAST(PARSE_JSON(_1) AS VARCHAR)",
    },
    "bigquery": {
        "infinity": "CAST('inf' AS FLOAT64)",
        "minus_infinity": "CAST('-inf' AS FLOAT64)",
        "double": "CAST(_1 AS FLOAT64)",
        "without_nan": "CASE WHEN NOT IS_NAN(_1) THEN _1 END",
        "refuse": "ERROR(_1)",
        "milliseconds": "UNIX_MILLIS(_1)",
        "instant": "TIMESTAMP_MILLIS(CAST(_1 AS INT64))",
        "moment": "CAST(_1 AS TIMESTAMP)",
        "day_text": "FORMAT_TIMESTAMP('%a %b %d %Y', _1, 'UTC')",
        "iso_text": "FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E3SZ', _1, 'UTC')",
        **{
            name: f"EXTRACT({name.upper()} FROM _1 AT TIME ZONE 'UTC')"
            for name in ("year", "month", "day", "hour", "minute", "second")
        },
        "weekday": "EXTRACT(DAYOFWEEK FROM _1 AT TIME ZONE 'UTC') - 1",
        "length": "LENGTH(_1)",
        "position": "STRPOS(_1, _2)",
        "starts_with": "STARTS_WITH(_1, _2)",
        "ends_with": "ENDS_WITH(_1, _2)",
        "trimmed": f"TRIM(_1, '{_WHITE}')",
        "matches": "REGEXP_CONTAINS(_1, _2)",
        "digits": "CAST(CAST(_1 AS FLOAT64) AS STRING)",
        "whole_digits": "CAST(CAST(_1 AS INT64) AS STRING)",
        "parsed_number": _parsed(
            f"TRIM(_1, '{_WHITE}')",
            "REGEXP_CONTAINS({}, '{}')",
            "SAFE_CAST({} AS FLOAT64)",
            "CAST('{}' AS FLOAT64)",
        ),
        "quoted": "TO_JSON_STRING(_1)",
        "document": "_1",
        "json_length": "ARRAY_LENGTH(JSON_QUERY_ARRAY(_1))",
        "power": "POWER(CAST(_1 AS FLOAT64), _2)",
        "ln": "LN(_1)",
        "log2": "LOG(_1, 2)",
        "log10": "LOG10(_1)",
        "joined": "STRING_AGG",
        "decoded": "JSON_VALUE(CONCAT('{\"v\":', _1, '}'), '$.v')",
    },
    # Joins give NULL for what is not there with the setting join_use_nulls = 1 alone; docs/dialects.md says so.
    "clickhouse": {
        "infinity": "CAST('inf' AS Nullable(Float64))",
        "minus_infinity": "CAST('-inf' AS Nullable(Float64))",
        "double": "CAST(_1 AS Nullable(Float64))",
        "without_nan": "CASE WHEN NOT isNaN(_1) THEN _1 END",
        "refuse_text": "CAST(throwIf(NOT _2 IS NULL, _1) AS Nullable(String))",
        "refuse_number": "CAST(throwIf(NOT _2 IS NULL, _1) AS Nullable(Float64))",
        "refuse_boolean": "CAST(throwIf(NOT _2 IS NULL, _1) AS Nullable(Bool))",
        "milliseconds": "toUnixTimestamp64Milli(_1)",
        "instant": "fromUnixTimestamp64Milli(CAST(_1 AS Nullable(Int64)), 'UTC')",
        "day_text": "formatDateTime(_1, '%a %b %d %Y', 'UTC')",
        "year": "toYear(_1, 'UTC')",
        "month": "toMonth(_1, 'UTC')",
        "day": "toDayOfMonth(_1, 'UTC')",
        "weekday": "toDayOfWeek(_1, 2, 'UTC')",
        "hour": "toHour(_1, 'UTC')",
        "minute": "toMinute(_1, 'UTC')",
        "second": "toSecond(_1, 'UTC')",
        "length": "lengthUTF8(_1)",
        "position": "positionUTF8(_1, _2)",
        "starts_with": "startsWith(_1, _2)",
        "ends_with": "endsWith(_1, _2)",
        "trimmed": f"trimBoth(_1, '{_WHITE}')",
        "matches": "match(_1, _2)",
        "digits": "toString(CAST(_1 AS Nullable(Float64)))",
        "whole_digits": "toString(CAST(_1 AS Nullable(Int64)))",
        "parsed_number": _parsed(
            f"trimBoth(_1, '{_WHITE}')",
            "match({}, '{}')",
            "toFloat64OrNull({})",
            "CAST('{}' AS Nullable(Float64))",
        ),
        "quoted": "toJSONString(_1)",
        "document": "_1",
        "json_length": "JSONLength(_1)",
        "remainder": "CAST(_1 AS Nullable(Float64)) % _2",
        "power": "pow(CAST(_1 AS Nullable(Float64)), _2)",
        "ln": "log(_1)",
        "log2": "log2(_1)",
        "log10": "log10(_1)",
        "decoded": "JSONExtractString(concat('{\"v\":', _1, '}'), 'v')",
    },
    "trino": {
        "lateral": "yes",
        "infinity": "CAST('Infinity' AS DOUBLE)",
        "minus_infinity": "CAST('-Infinity' AS DOUBLE)",
        "double": "CAST(_1 AS DOUBLE)",
        "without_nan": "CASE WHEN NOT IS_NAN(_1) THEN _1 END",
        **_failing("VARCHAR", "DOUBLE", "BOOLEAN", "INTEGER"),
        "milliseconds": "FLOOR(TO_UNIXTIME(_1) * 1000)",
        "instant": "FROM_UNIXTIME(_1 / 1000.0)",
        "moment": "CAST(_1 AS TIMESTAMP(6) WITH TIME ZONE)",
        "day_text": "DATE_FORMAT(AT_TIMEZONE(_1, 'UTC'), '%a %b %d %Y')",
        **{
            name: f"EXTRACT({name.upper()} FROM AT_TIMEZONE(_1, 'UTC'))"
            for name in ("year", "month", "day", "hour", "minute", "second")
        },
        "weekday": "MOD(EXTRACT(DOW FROM AT_TIMEZONE(_1, 'UTC')), 7)",
        "length": "LENGTH(_1)",
        "position": "STRPOS(_1, _2)",
        "starts_with": "STARTS_WITH(_1, _2)",
        "trimmed": f"TRIM(BOTH '{_WHITE}' FROM _1)",
        "piece": "CASE WHEN _3 <= CARDINALITY(SPLIT(_1, _2)) THEN SPLIT_PART(_1, _2, _3) END",
        "matches": "REGEXP_LIKE(_1, _2)",
        "whole_digits": "CAST(CAST(_1 AS BIGINT) AS VARCHAR)",
        "parsed_number": _parsed(
            f"TRIM(BOTH '{_WHITE}' FROM _1)",
            "REGEXP_LIKE({}, '{}')",
            "TRY_CAST({} AS DOUBLE)",
            "CAST('{}inity' AS DOUBLE)",
        )
        .replace("'infinity'", "'Infinity'")
        .replace("'-infinity'", "'-Infinity'"),
        "digits": "CAST(CAST(_1 AS DOUBLE) AS VARCHAR)",
        "quoted": "JSON_FORMAT(CAST(_1 AS JSON))",
        "document": "_1",
        "json_length": "JSON_ARRAY_LENGTH(_1)",
        "remainder": "MOD(CAST(_1 AS DOUBLE), _2)",
        "power": "POWER(CAST(_1 AS DOUBLE), _2)",
        "ln": "LN(_1)",
        "log2": "LOG2(_1)",
        "log10": "LOG10(_1)",
        "joined": "LISTAGG",
        "decoded": "JSON_EXTRACT_SCALAR(CONCAT('{\"v\":', _1, '}'), '$.v')",
    },
}
"""Of each engine, what it says for what."""
