"""Which SQL only reads: what a transaction has done if ending it unseen can neither lose nor change anything.

Whatever is not known to be harmless is not: a function may write, take a lock or set what later statements depend on
(`set_config`, `pg_advisory_xact_lock`, a stored procedure), and so may anything but a plain SELECT.
"""

import re
from functools import lru_cache

_COMMENT = r"\s*(?:--[^\n]*\n|/\*.*?\*/)"
_STARTS = re.compile(rf"(?:{_COMMENT})*\s*(?:select|with|values|show|explain)\b", re.IGNORECASE | re.DOTALL)

# `for` stands before update, share and their kin (it also stands in `substring(x for 3)`, which is no loss); a quoted
# name may be a function too; after a semicolon comes another statement.
_ACTS = re.compile(
    r"\b(?:insert|update|delete|merge|into|for|lock|call|do|copy|truncate|create|alter|drop|grant|set)\b"
    r"|[\"`\]]\s*\(|;\s*\S",
    re.IGNORECASE,
)
_CALLS = re.compile(r"([a-z_][\w.]*)\s*\(", re.IGNORECASE)

_WORDS = """
    all and any array as between by case cast distinct else end except exists filter from group having if in inner
    intersect is join lateral left like ilike limit materialized not offset on or order over partition right rows
    select similar some then to union unique using values when where within with
    bigint bit char character decimal float int integer numeric real smallint time timestamp varbit varchar
"""
_FUNCTIONS = """
    abs age array_agg array_append array_cat array_length array_position array_remove array_to_string avg bool_and
    bool_or btrim cardinality ceil ceiling char_length character_length clock_timestamp coalesce concat concat_ws count
    cume_dist current_database current_date current_schema current_setting current_time current_timestamp current_user
    date date_bin date_part date_trunc datetime decode dense_rank div encode every exp extract first_value floor format
    generate_series greatest group_concat grouping ifnull iif initcap instr isnull json_agg json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text json_extract
    json_object_agg json_object_keys json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_typeof julianday
    lag last_value lead least left length ln localtimestamp log lower lpad ltrim make_date make_interval max md5 min mod
    now nth_value ntile nullif octet_length overlay percent_rank percentile_cont percentile_disc pg_backend_pid
    pg_typeof phraseto_tsquery plainto_tsquery position power random rank regexp_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right round row row_number row_to_json rpad rtrim sign similarity
    split_part sqrt statement_timestamp stddev string_agg string_to_array strftime strpos substr substring sum
    tablesample to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector total translate trim
    trunc ts_headline ts_rank ts_rank_cd typeof unnest upper user variance version websearch_to_tsquery width_bucket
"""
HARMLESS = frozenset(f"{_WORDS} {_FUNCTIONS}".split())


@lru_cache(maxsize=2048)
def reads_only(statement: str) -> bool:
    """Whether `statement`, as it goes to the driver, is sure to read and do nothing else."""
    if not _STARTS.match(statement) or _ACTS.search(statement):
        return False
    return all(name.lower().removeprefix("pg_catalog.") in HARMLESS for name in _CALLS.findall(statement))
