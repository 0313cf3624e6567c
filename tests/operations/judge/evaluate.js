// Reads {runs, given, programs} from stdin and writes one answer a line: {"shown": [...]} or {"error": ...}.
"use strict";
const translate = require("./translate.js");
const { Dictionary, List, OPERATIONS, isMissing, run, ...helpers } = require("./prelude.js");

const number = (value) => (Number.isNaN(value) ? null : Number.isFinite(value) ? value : { number: String(value) });

// A value of one cell.
const cell = (value) =>
  isMissing(value) ? null
  : typeof value === "number" ? number(value)
  : value instanceof Date ? { time: value.getTime() }
  : value instanceof List ? [...value].map(cell)
  : value instanceof Dictionary ? { object: value.leaves().map(([key, item]) => [key, cell(item)]) }
  : value.isRun ? value.id : value;

// The cells of a row: of a run, an artifact version, a history row, a group, a record or one value.
const cells = (value) =>
  isMissing(value) || typeof value !== "object" ? [cell(value)]
  : value.isRun ? [value.entity, value.project, value.id, value.name ?? null, value.state ?? null, cell(value.createdAt)]
  : value.isArtifact ? ["name", "version", "type", "size", "digest", "state", "createdAt", "metadata"].map((name) => cell(value[name]))
  : value.isRow ? [...value.key, value.at("_step")]
  : value.isGroup ? [...cells(value.key), value.length]
  : value instanceof List || value instanceof Dictionary || value instanceof Date ? [cell(value)]
  : Object.values(value).flatMap(cells);

const rows = (value) => (value instanceof List && !value.isGroup ? { list: [...value].map(cells) } : { one: cells(value), isMissing: isMissing(value) });

const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
const runs = List.from_(input.runs.map(run));
const given = Object.fromEntries(Object.entries(input.given).map(([name, id]) => [name, runs.find((each) => each.id === id)]));
const scope = { ...helpers, ...OPERATIONS, ...given, runs };

for (const program of input.programs) {
  const shown = [];
  let last, lines;
  const statements = {
    $assigned: (value) => (last = value),
    $showLast: () => { if (typeof last !== "function") shown.push(rows(last)); },
    $show: (value) => { shown.push(rows(value)); },
    $log: (...values) => { lines.push(values.map(String).join(" ")); },
    $effect: (f) => { lines = []; f(); shown.push({ lines }); },
  };
  const names = { ...scope, ...statements };
  let answer, js;
  try {
    js = translate(program);
    new Function(...Object.keys(names), js)(...Object.values(names));
    answer = { shown };
  } catch (error) {
    answer = { error: String(error), js };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
