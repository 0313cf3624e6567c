"""The fault catalogue: what may go wrong around a sync, and what must hold when it does.

A row is driven by the test of its group here (`brought` says how the fault is brought about), or it names the test
elsewhere that does. `tests/contract/test_faults.py` keeps the catalogue complete, and equal to docs/reliability.md.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faults import disk
from faults.world import World, edited
from wandb_warehouse.sandbox import Fault

__all__ = ["CATALOGUE", "GROUPS", "Row", "of_group"]

GROUPS = ("network", "protocol", "data", "process", "disk", "configuration")

Holds = Literal["untouched", "others", "all", "refused"]
HOLDS: dict[Holds, str] = {
    "untouched": "nothing is published, the old warehouse stays byte for byte",
    "others": "everything else is published, the next sync brings the rest",
    "all": "everything is published",
    "refused": "nothing is asked or written",
}


@dataclass(frozen=True)
class Row:
    """One fault."""

    name: str
    group: str
    fault: str
    """For the documentation."""
    code: int
    says: tuple[str, ...] = ()
    """Words of the one line on stderr."""
    holds: Holds = "untouched"
    strikes: tuple[Fault, ...] = ()
    """Network and protocol: what is injected into the sandbox."""
    brought: Callable[[World, Path], Any] | None = None
    """Disk: makes the place as it is to be; what it returns is a context in which the command runs."""
    text: str = ""
    """Data: the JSON that stands for a value."""
    where: str = "history"
    """Data: the document it stands in."""
    destination: str = "duckdb"
    test: str = ""
    """Node id of the test that drives it, where that is not the one of its group here."""
    slow: bool = False
    hasty: bool = False
    """The client waits for an answer only a moment."""


def _first_run(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    return edited(lambda answer: change(answer["data"]["project"]["runs"]["edges"][0]["node"]))


def _runs(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    return edited(lambda answer: change(answer["data"]["project"]))


def _endless(project: dict[str, Any]) -> None:
    project["runs"]["pageInfo"] = {"hasNextPage": True, "endCursor": "YXJyYXljb25uZWN0aW9uOjE="}


def _hidden(project: dict[str, Any]) -> None:
    project["runs"]["edges"][0]["node"] = None


def _list(kind: str, value: float | str | None = None, **more: Any) -> tuple[Fault, ...]:
    """Strike every listing."""
    return (Fault(kind, "ListRuns", times=-1, value=value, **more),)


def _changed(operation: str, change: Callable[[bytes], bytes]) -> tuple[Fault, ...]:
    return (Fault("changed", operation, times=-1, change=change),)


def _download(kind: str, value: float | str | None = None) -> tuple[Fault, ...]:
    return (Fault(kind, ".parquet", times=-1, value=value),)


_NETWORK = [
    Row("refused connection", "network", "nobody listens at the address", 4, ("could not be reached",),
        test="tests/faults/test_network.py::test_no_server_at_all"),
    Row("tls to a plain server", "network", "https to a server that speaks http", 4, ("could not be reached",),
        test="tests/faults/test_network.py::test_no_server_at_all"),
    Row("unverifiable certificate", "network", "a certificate of an authority that is not known", 4,
        ("certificate", "SSL_CERT_FILE"), test="tests/faults/test_network.py::test_no_server_at_all"),
    Row("timeout", "network", "no answer in time", 4, ("did not answer within",),
        strikes=(Fault("slow", "RunDetails", times=-1, value=30), Fault("slow", "Viewer", times=-1, value=30)),
        hasty=True),
    Row("slow-loris", "network", "an answer that drips, byte by byte", 4, ("did not answer within",),
        strikes=(Fault("drip", "RunDetails", times=-1, value=0.2), Fault("drip", "Viewer", times=-1, value=0.2)),
        hasty=True, slow=True),
    Row("reset", "network", "connections that drop", 4, ("broke", "again later"), strikes=_list("reset")),
    Row("cut body", "network", "a body shorter than announced", 4, ("broke",), strikes=_list("truncate")),
    Row("cut gzip", "network", "a compressed body that stops early", 4, ("arrived cut",), strikes=_list("gzip_cut")),
    Row("5xx storm", "network", "5xx for every request", 4, ("503", "again later"), strikes=_list("status", 503)),
    Row("gateway page", "network", "a gateway's 502", 4, ("502",), strikes=_list("status", 502)),
    Row("429 with seconds", "network", "429 for ever, `Retry-After` in seconds", 4, ("429",),
        strikes=_list("rate_limit", 0)),
    Row("429 with a date", "network", "429 for ever, `Retry-After` a date", 4, ("429",),
        strikes=_list("rate_limit", "Fri, 20 Nov 2020 16:00:30 GMT")),
    Row("429 with RateLimit", "network", "429 for ever, `RateLimit-*` only", 4, ("429",),
        strikes=_list("rate_limit", "reset:0")),
    Row("429 with nonsense", "network", "429 for ever, a `Retry-After` that is none", 4, ("429",),
        strikes=_list("rate_limit", "soon")),
    Row("429 and better", "network", "429 once", 0, holds="all",
        test="tests/sync/test_faults.py::test_what_passes_is_tried_again"),
    Row("redirect", "network", "a redirect of the API to another host", 4, ("302", "WANDB_BASE_URL"),
        strikes=_list("redirect", "http://127.0.0.1:9/graphql")),
    Row("key and redirects", "network", "a redirect that would take the key along", 4,
        test="tests/client/test_sockets.py::test_the_key_does_not_follow_a_redirect"),
    Row("redirected download", "network", "a download redirected into a private network", 4,
        test="tests/client/test_blobs.py::test_addresses_w_and_b_has_no_business_to_give_are_not_asked"),
    Row("server that dies", "network", "the server goes down at any request", 4,
        test="tests/sync/test_faults.py::test_a_server_that_dies_leaves_the_old_file"),
    Row("passing faults", "network", "any of these once", 0, holds="all",
        test="tests/sync/test_faults.py::test_what_passes_is_tried_again"),
    Row("expired address", "network", "a signed address that expired", 0, holds="all",
        test="tests/sync/test_faults.py::test_an_expired_address_is_asked_for_anew"),
    Row("address expired for ever", "network", "a signed address that is never good", 6, holds="others",
        test="tests/sync/test_faults.py::test_an_export_that_never_arrives_costs_one_run"),
    Row("download that fails", "network", "a download that is always refused", 6, ("500 to a download",), "others",
        strikes=_download("status", 500), slow=True),
    Row("download that is cut", "network", "a download that is always cut", 6, holds="others",
        test="tests/sync/test_faults.py::test_an_export_that_never_arrives_costs_one_run"),
    Row("download that drips", "network", "a download that drips", 6, ("did not answer within",), "others",
        strikes=_download("drip", 0.3), slow=True, hasty=True),
]  # fmt: skip

_PROTOCOL = [
    Row("login page", "protocol", "a page of a proxy with status 200", 4, ("in place of JSON", "WANDB_BASE_URL"),
        strikes=_list("html")),
    Row("wrong content type", "protocol", "JSON under another content type", 4, ("text/plain",),
        strikes=_list("headers", "content-type: text/plain")),
    Row("401", "protocol", "401", 3, ("401", "WANDB_API_KEY"), strikes=_list("status", 401)),
    Row("403", "protocol", "403", 3, ("403", "ask the owner"), strikes=_list("status", 403)),
    Row("401 in the middle", "protocol", "401 after the list was read", 3, ("401",),
        strikes=(Fault("status", "RunDetails", times=-1, value=401),)),
    Row("refused in words", "protocol", "`permission denied` under 200", 3, ("permission denied", "ask the owner"),
        strikes=_list("graphql_error", "permission denied")),
    Row("graphql error", "protocol", "GraphQL errors under 200", 4, ("an injected error", "report it"),
        strikes=_list("graphql_error")),
    Row("partial data", "protocol", "data beside errors", 4, ("an injected error",),
        strikes=_list("graphql_error", "partial")),
    Row("project null", "protocol", "a project that is null", 2, ("shows no project", "e/p"),
        strikes=_list("project_null")),
    Row("project null in the middle", "protocol", "a project that is null once its list was read", 2,
        ("shows no project",), strikes=(Fault("project_null", "RunDetails", times=-1),)),
    Row("page short", "protocol", "a page that lacks a run", 4, ("counts 4", "run the sync again"),
        strikes=_changed("ListRuns", _runs(lambda p: p["runs"]["edges"].pop()))),
    Row("count that lies", "protocol", "a count of runs that is too high", 4, ("listed 4 runs but counts 5",),
        strikes=_changed("ListRuns", _runs(lambda p: p.update(runCount=5)))),
    Row("page cursor twice", "protocol", "a next page that is the same page", 4, ("does not get to it",),
        strikes=_changed("ListRuns", _runs(_endless))),
    Row("hidden entry", "protocol", "a run that is hidden in the list", 0, holds="others", slow=True,
        strikes=_changed("ListRuns", _runs(_hidden))),
    Row("run without id", "protocol", "a run without an id", 4, ("a run without an id",),
        strikes=_changed("ListRuns", _first_run(lambda run: run.update(name=None)))),
    Row("line count that lies", "protocol", "more history rows counted than there are", 6,
        ("40 history rows could be read, the server counts 45",), "others", slow=True,
        strikes=tuple(Fault("changed", operation, times=-1, change=_first_run(lambda r: r.update(historyLineCount=45)))
                      for operation in ("ListRuns", "RunDetails"))),
    Row("bytes that are no UTF-8", "protocol", "an answer that is no UTF-8", 4, ("no JSON object",),
        strikes=_changed("ListRuns", lambda body: body.replace(b'"run-01-id"', b'"\xff\xfe"'))),
    Row("answer nested too deep", "protocol", "an answer of many thousand levels", 4, ("nested too deep",),
        strikes=_changed("ListRuns", lambda _: b'{"data":' * 200_000 + b"1" + b"}" * 200_000)),
    Row("huge answer", "protocol", "an answer larger than 64 MiB", 4, ("exceeds",),
        strikes=_list("big_body", 5 * 2**20)),
    Row("gzip bomb", "protocol", "a small answer that unpacks to a huge one", 4, ("exceeds",),
        strikes=_list("gzip_bomb", 64 * 2**20)),
    Row("no clock", "protocol", "no `Date` header", 4, ("without a Date header",), strikes=_list("headers", "date: x")),
    Row("clock behind", "protocol", "a `Date` decades ago", 0, holds="all", slow=True,
        strikes=_list("headers", "date: Thu, 01 Jan 1998 00:00:00 GMT")),
    Row("clock ahead", "protocol", "a `Date` decades ahead", 0, holds="all", slow=True,
        strikes=_list("headers", "date: Thu, 01 Jan 2099 00:00:00 GMT")),
    Row("clock ahead, large project", "protocol", "a `Date` ahead, where lists follow the heartbeats", 0, holds="all",
        test="tests/resources/test_listing.py::test_a_clock_that_was_ahead_hides_nothing"),
    Row("no deletion on doubt", "protocol", "runs missing from a list that failed", 4,
        test="tests/sync/test_many_projects.py::test_a_project_whose_list_keeps_moving_fails_alone"),
    Row("one project fails", "protocol", "one of several projects cannot be read", 6, holds="others",
        test="tests/sync/test_many_projects.py::test_failing_projects_do_not_stop_the_others"),
    Row("table beside fails", "protocol", "one table beside the runs cannot be read", 6, holds="others",
        test="tests/resources/test_coverage.py::test_one_table_that_fails_costs_itself_alone"),
]  # fmt: skip


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


DEEP = '{"a":' * 1000 + "1" + "}" * 1000

_DATA = [
    Row("config no object", "data", "a config that is no object", 6, ("its config is no JSON object",), "others",
        text="[1]", where="config"),
    Row("config cut", "data", "a config that is no JSON", 6, ("no JSON",), "others", text='{"a": {"va', where="config"),
    Row("config deep", "data", "a config of 1,000 levels", 0, holds="all",
        text='{"a":{"value":' + DEEP + "}}", where="config"),
    Row("summary no object", "data", "a summary that is no object", 6, ("JSON",), "others",
        text="[1]", where="summary"),
    Row("summary cut", "data", "a summary that is no JSON", 6, ("no JSON",), "others", text='{"a": ', where="summary"),
    Row("row no object", "data", "a history row that is no object", 6, ("row",), "others", text="[1]"),
    Row("row cut", "data", "a history row that is no JSON", 6, ("JSON",), "others", text='{"_step":0,"k":'),
    Row("row deep", "data", "a history row of 1,000 levels", 0, holds="all", text='{"_step":0,"k":' + DEEP + "}"),
    Row("step text", "data", "a step that is text", 6, ("row",), "others", text='{"_step":"0","k":1}'),
    Row("step huge", "data", "a step beyond 64 bits", 6, ("step",), "others",
        text='{"_step":18446744073709551616,"k":1}'),
    Row("export damaged", "data", "an export with flipped bytes", 6, ("no readable parquet file",), "others",
        where="export", text="damaged"),
    Row("export no parquet", "data", "an export that is another file", 6, ("no parquet file",), "others",
        where="export", text="document"),
    Row("export cut", "data", "an export cut between its ends", 6, ("no readable parquet file",), "others",
        where="export", text="cut"),
    Row("export of text steps", "data", "an export whose steps are text", 6, ("64-bit integers",), "others",
        where="export", text="steps"),
    Row("export with more", "data", "an export of more rows than are counted", 6, ("the server counts",), "others",
        where="export", text="more"),
    Row("parquet bomb of cells", "data", "an export of 1 KB that unpacks to gigabytes", 6, ("unpacks to",), "others",
        where="export", text="cells"),
    Row("parquet bomb of rows", "data", "an export that claims millions of rows", 6, ("rows, far more",), "others",
        where="export", text="rows"),
    Row("nan", "data", "NaN, infinities, 1e400, -0.0", 0, holds="all",
        text='{"_step":0,"k":[NaN,-Infinity,1e400,-0.0]}'),
    Row("huge integer", "data", "integers beyond 64 bits", 0, holds="all", text='{"_step":0,"k":18446744073709551617}'),
    Row("5,000 digits", "data", "integers of more than 4,300 digits", 0, holds="all",
        text='{"_step":0,"k":' + "9" * 5000 + "}"),
    Row("surrogate", "data", "lone surrogates and NUL", 0, holds="all", text='{"_step":0,"k":"\\ud800 \\u0000"}'),
    Row("keys that collide", "data", "keys that other tools take for one, empty ones, of 1,000 letters", 0, holds="all",
        text='{"_step":0,"k":1,"a/b":1,"a_b":2,"A.b":3,"":4," ":5,"' + "k" * 1000 + '":6}'),
    Row("key twice", "data", "a key twice in one object", 0, holds="all", text='{"_step":0,"k":1,"k":2}'),
    Row("types that change", "data", "values that change their type", 0, holds="all",
        test="tests/real_client/test_property.py::test_any_value_comes_back"),
    Row("one run cannot be served", "data", "one run that the server cannot serve", 6, holds="others",
        test="tests/sync/test_faults.py::test_one_run_that_cannot_be_served_is_left_out"),
    Row("rows short of the count", "data", "fewer rows than the server counts", 6, holds="others",
        test="tests/sync/test_faults.py::test_rows_short_of_the_count_are_reported"),
    Row("logged table damaged", "data", "a logged table that cannot be read", 6, holds="others",
        test="tests/sync/test_logged_tables.py::test_a_bad_file_costs_itself_alone"),
    Row("bombs in bounded memory", "data", "bombs of every kind, seen from the outside", 6, holds="others",
        test="tests/faults/test_bombs.py::test_bombs_cost_no_memory"),
]  # fmt: skip

_PROCESS = [
    Row("kill", "process", "kill -9 at any moment", 0, holds="all",
        test="tests/sync/test_processes.py::test_a_killed_sync_is_made_good_by_the_next"),
    Row("SIGINT", "process", "Ctrl-C", 130, ("interrupted",),
        test="tests/cli/test_processes.py::test_signals_end_a_sync_cleanly"),
    Row("SIGTERM", "process", "SIGTERM", 143, ("terminated",),
        test="tests/cli/test_processes.py::test_signals_end_a_sync_cleanly"),
    Row("second sync", "process", "another sync is running", 7, test="tests/cli/test_failures.py::test_second_sync"),
    Row("lock of a dead sync", "process", "a lock whose holder was killed", 0, holds="all",
        test="tests/warehouse/test_lock.py::test_kill_frees_the_lock"),
    Row("threads left", "process", "a sync that fails while requests are under way", 4,
        test="tests/sync/test_faults.py::test_nothing_is_left_running"),
    Row("reader that leaves", "process", "output into a pipe that closes", 0, holds="all",
        test="tests/cli/test_processes.py::test_reader_that_leaves"),
]  # fmt: skip

_DISK = [
    Row("directory", "disk", "the warehouse is a directory of something else", 2, ("is a directory",),
        brought=disk.directory),
    Row("dangling link", "disk", "a link into a directory that is not there", 5, ("No such file",),
        brought=disk.dangling_link),
    Row("link to itself", "disk", "a link that leads in a circle", 5, ("cannot be a path",),
        brought=disk.link_to_itself),
    Row("name too long", "disk", "a name of 300 letters", 5, ("too long", "mend the path"), brought=disk.long_name),
    Row("FIFO", "disk", "the warehouse is a FIFO", 5, ("is not a file",), brought=disk.fifo),
    Row("device", "disk", "the warehouse is a device", 5, ("is not a file",), brought=disk.device),
    Row("socket", "disk", "the warehouse is a socket", 5, ("is not a file",), brought=disk.unix_socket),
    Row("empty file", "disk", "an empty file", 5, ("is not a DuckDB file", "move the file away"), brought=disk.empty),
    Row("text file", "disk", "a file of text", 5, ("is not a DuckDB file",), brought=disk.text),
    Row("SQLite file", "disk", "a SQLite file", 5, ("is not a DuckDB file",), brought=disk.sqlite),
    Row("corrupt header", "disk", "a damaged first header", 5, ("cannot be opened", "restore it"),
        brought=disk.flipped(4096, 4096)),
    Row("damaged start", "disk", "no magic in the file", 5, ("is not a DuckDB file",), brought=disk.flipped(0, 64)),
    Row("flipped block", "disk", "flipped bytes in the middle", 5, ("is damaged", "restore it"),
        brought=disk.flipped_in_the_middle),
    Row("flipped blocks", "disk", "every block flipped", 5, ("restore it",), brought=disk.flipped(12_288, None)),
    Row("truncated", "disk", "a file cut to half", 5, ("restore it",), brought=disk.truncated(0.5)),
    Row("truncated to its header", "disk", "a file cut after its headers", 5, ("restore it",),
        brought=disk.truncated(0.002)),
    Row("foreign file", "disk", "a DuckDB file of something else", 5, ("no warehouse of wandb-warehouse",),
        brought=disk.foreign),
    Row("foreign sync log", "disk", "a DuckDB file of something else with a `sync_log`", 5,
        ("lacks what a warehouse of wandb-warehouse has",), brought=disk.foreign_log),
    Row("newer schema", "disk", "a warehouse of a newer wandb-warehouse", 5, ("schema version 99", "upgrade"),
        brought=disk.newer),
    Row("older schema", "disk", "a warehouse of schema version 1", 0, holds="all",
        test="tests/faults/test_versions.py::test_a_warehouse_of_version_1_is_taken_over"),
    Row("newer lake", "disk", "a lake of a newer wandb-warehouse", 5, ("schema version 99", "upgrade"),
        brought=disk.newer_lake, destination="filesystem"),
    Row("damaged manifest", "disk", "a lake whose manifest is none", 5, ("no manifest",),
        brought=disk.damaged_manifest, destination="filesystem"),
    Row("missing lake file", "disk", "a lake that lacks a file", 5, ("cannot be read", "restore"),
        brought=disk.missing_lake_file, destination="filesystem"),
    Row("open for writing", "disk", "the file is open for writing elsewhere", 7, ("open for writing in pid",),
        brought=disk.open_elsewhere(read_only=False), slow=True),
    Row("open for reading", "disk", "the file is open for reading elsewhere", 0, holds="all",
        brought=disk.open_elsewhere(read_only=True), slow=True),
    Row("log left beside", "disk", "a damaged write-ahead log beside the file", 0, holds="all",
        brought=disk.log_beside, slow=True),
    Row("lock is a directory", "disk", "a directory in place of the lock file", 5, ("cannot make the lock file",),
        brought=disk.lock_directory),
    Row("read-only", "disk", "a read-only file system", 5, ("Read-only file system",), brought=disk.read_only),
    Row("read-only lake", "disk", "a lake on a read-only file system", 5, ("Read-only file system",),
        brought=disk.read_only, destination="filesystem"),
    Row("full while fetching", "disk", "no space for what is fetched", 5, ("No space left", "free disk space"),
        brought=disk.full(20_000)),
    Row("full before the load", "disk", "no space for the private copy", 5, ("No space left", "free disk space"),
        brought=disk.full(2_000_000), slow=True),
    Row("full in the load", "disk", "no space while loading", 5, ("No space left", "free disk space"),
        brought=disk.full(None), slow=True),
    Row("file size limit, fetching", "disk", "a limit to the size of files, while fetching", 5, ("File too large",),
        brought=disk.limited(5_000)),
    Row("file size limit, copy", "disk", "the same, in the private copy", 5,
        ("cannot make the build", "File too large"),
        brought=disk.limited(1_000_000), slow=True),
    Row("file size limit, publishing", "disk", "the same, before publishing", 5, ("File too large", "free disk space"),
        brought=disk.limited(None), slow=True),
    Row("full lake, fetching", "disk", "no space in a lake", 5, ("No space left",), brought=disk.full(20_000),
        destination="filesystem"),
    Row("full lake, loading", "disk", "no space in a lake while loading", 5, ("No space left", "free disk space"),
        brought=disk.full(3_000_000), destination="filesystem", slow=True),
    Row("no inodes", "disk", "no inodes left", 5, ("No space left",), brought=disk.no_inodes),
    Row("TMPDIR missing", "disk", "a `TMPDIR` that is not there", 0, holds="all", brought=disk.no_tmpdir, slow=True),
    Row("nothing in TMPDIR", "disk", "what a sync leaves among temporary files", 0, holds="all",
        test="tests/faults/test_disk.py::test_nothing_is_left_among_temporary_files"),
    Row("proof", "disk", "the load does not hold what was read", 5,
        test="tests/warehouse/test_proof.py::test_what_is_wrong_is_named"),
    Row("missing directory", "disk", "a directory that is not there", 5, holds="refused",
        test="tests/cli/test_failures.py::test_missing_directory"),
    Row("reading without a warehouse", "disk", "no warehouse to read", 5, holds="refused",
        test="tests/cli/test_failures.py::test_reading_without_a_warehouse"),
]  # fmt: skip

_CONFIGURATION = [
    Row("no key", "configuration", "no key anywhere", 3, holds="refused",
        test="tests/cli/test_failures.py::test_without_a_key"),
    Row("wrong key", "configuration", "a key that the server refuses", 3,
        test="tests/cli/test_failures.py::test_wrong_key"),
    Row("key no header takes", "configuration", "a key with characters of no key", 3, holds="refused",
        test="tests/client/test_connection.py::test_keys_that_cannot_be_one_are_refused_unquoted"),
    Row("wrong address", "configuration", "an address that would endanger the key", 2, holds="refused",
        test="tests/client/test_connection.py::test_addresses_that_would_endanger_the_key_are_refused"),
    Row("unreachable address", "configuration", "a host that does not answer", 4,
        test="tests/cli/test_failures.py::test_unreachable_host"),
    Row("unknown project", "configuration", "a misspelt project", 2,
        test="tests/cli/test_failures.py::test_unknown_project"),
    Row("malformed project", "configuration", "a path that is no project", 2, holds="refused",
        test="tests/cli/test_failures.py::test_malformed_project"),
    Row("filter typo", "configuration", "a filter that is no JSON object", 2, holds="refused",
        test="tests/cli/test_failures.py::test_filter_that_is_none"),
    Row("unknown option", "configuration", "an unknown option or value", 2, holds="refused",
        test="tests/cli/test_failures.py::test_wrong_usage"),
    Row("wrong statement", "configuration", "a SQL statement with a mistake, or one that writes", 2, holds="refused",
        test="tests/cli/test_failures.py::test_wrong_statement"),
    Row("destination and place", "configuration", "a destination that is not what lies there", 2, holds="refused",
        test="tests/cli/test_destination.py::test_a_destination_that_cannot_be_is_told_in_one_line"),
]  # fmt: skip

CATALOGUE: tuple[Row, ...] = (*_NETWORK, *_PROTOCOL, *_DATA, *_PROCESS, *_DISK, *_CONFIGURATION)


def of_group(*groups: str) -> list[Any]:
    """The rows of groups that are driven here, as parameters of a test."""
    import pytest  # noqa: PLC0415 -- the catalogue is read by what is no test, too

    return [
        pytest.param(row, id=row.name, marks=pytest.mark.slow if row.slow else ())
        for row in CATALOGUE
        if row.group in groups and not row.test
    ]
