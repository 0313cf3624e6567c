// Evaluates expressions over runs, in plain JavaScript: what the compiled SQL must give.
// Reads {runs, programs} from stdin and writes one answer a line: {"value": ...} or {"error": ...}.
"use strict";

// Lists and objects are ordered with nothing: JavaScript would compare what it writes of them.
const UNORDERED = { [Symbol.toPrimitive]: () => NaN };
const decode = (key, value) =>
  value !== null && typeof value === "object" && "$number" in value ? Number(value.$number)
  : Array.isArray(value) ? Object.assign(value, UNORDERED) : value;
const input = JSON.parse(require("fs").readFileSync(0, "utf8"), decode);

const ENTRIES = Symbol("entries"), PREFIX = Symbol("prefix");

// A dictionary: an entry under its dotted name, nested or not; null is what is not there.
const dictionary = (entries, prefix = "") =>
  new Proxy({}, {
    get: (_, key) => {
      if (key === ENTRIES) return entries;
      if (key === PREFIX) return prefix;
      if (key === Symbol.toPrimitive) return () => NaN;
      if (typeof key === "symbol" || key === "toJSON") return undefined;
      const name = prefix + key;
      if (name in entries) return entries[name] === null ? undefined : entries[name];
      const below = name + ".";
      return Object.keys(entries).some((each) => each.startsWith(below)) ? dictionary(entries, below) : undefined;
    },
    has: (_, key) => {
      const name = prefix + key;
      return name in entries || Object.keys(entries).some((each) => each.startsWith(name + "."));
    },
  });

// A dictionary as the object it is.
const unflattened = (entries, prefix) => {
  const object = {};
  for (const [name, value] of Object.entries(entries)) {
    if (!name.startsWith(prefix)) continue;
    const steps = name.slice(prefix.length).split(".");
    let place = object;
    for (const step of steps.slice(0, -1)) place = place[step] ??= {};
    place[steps[steps.length - 1]] = encode(value);
  }
  return object;
};

const numbers = (list) => [...list].filter((x) => typeof x === "number" && !Number.isNaN(x));

// What W&B's lists can do beside JavaScript's. The rest of Array's methods are the engine's own.
class List extends Array {
  static of_(items) { const list = new List(); for (const item of items) list.push(item); return list; }
  count() { return this.length; }
  sum() { const n = numbers(this); return n.length ? n.reduce((a, b) => a + b, 0) : undefined; }
  avg() { const n = numbers(this); return n.length ? n.reduce((a, b) => a + b, 0) / n.length : undefined; }
  max() { const n = numbers(this); return n.length ? n.reduce((a, b) => (b > a ? b : a)) : undefined; }
  min() { const n = numbers(this); return n.length ? n.reduce((a, b) => (b < a ? b : a)) : undefined; }
  stddev() {
    const n = numbers(this);
    if (!n.length) return undefined;
    const mean = n.reduce((a, b) => a + b, 0) / n.length;
    return Math.sqrt(n.reduce((a, b) => a + (b - mean) ** 2, 0) / n.length);
  }
  limit(n) { return this.slice(0, n); }
  first() { return this[0]; }
  last() { return this[this.length - 1]; }
  flatten() { return List.of_([].concat(...this.map((x) => [...x]))); }
  unique() {
    const seen = new Map();
    for (const item of this) { const key = identity(item); if (!seen.has(key)) seen.set(key, item); }
    return List.of_(seen.values());
  }
  groupBy(of) {
    const groups = new Map();
    for (const item of this) {
      const value = of(item), key = identity(value);
      if (!groups.has(key)) { const group = new List(); group.key = value; group.isGroup = true; groups.set(key, group); }
      groups.get(key).push(item);
    }
    return List.of_(groups.values());
  }
  // As JavaScript sorts, but with what lacks the value last: it alone differs from itself.
  sort(compare) {
    if (!compare) return List.of_([...this].sort());
    const there = [...this].filter((x) => !Number.isNaN(compare(x, x)));
    const lacking = [...this].filter((x) => Number.isNaN(compare(x, x)));
    return List.of_([...there.sort(compare), ...lacking]);
  }
  // As JavaScript reduces, over those that have the value.
  best(of, better) {
    const there = [...this].filter((x) => typeof of(x) === "number" && !Number.isNaN(of(x)));
    return there.length ? there.reduce((best, x) => (better(of(x), of(best)) ? x : best)) : undefined;
  }
}

const identity = (value) =>
  value && value.isRun ? "run " + value.id
  : typeof value === "number" ? "number " + (Object.is(value, -0) ? 0 : value)
  : value === undefined ? "undefined" : typeof value + JSON.stringify(encode(value));

const artifact = (a) => ({ ...a, isArtifact: true, aliases: List.of_(a.aliases) });
const runs = List.of_(input.runs.map((run) => ({
  ...run,
  isRun: true,
  configDictionary: dictionary(run.config),
  summaryDictionary: dictionary(run.summary),
  tags: List.of_(run.tags),
  rows: List.of_(run.history.map((row) => dictionary(row))),
  logged: List.of_(run.logged.map(artifact)),
  used: List.of_(run.used.map(artifact)),
})));

const of = (name) => (run) => run?.[name] ?? undefined;
const runConfig = of("configDictionary"), runSummary = of("summaryDictionary"), runHistory = of("rows");
const runName = of("name"), runId = of("run_id"), runState = of("state"), runTags = of("tags");
const runJobType = of("jobType"), runGroup = of("group"), runUser = of("user"), runProject = of("project");
const runRuntime = of("runtime"), runLoggedArtifactVersions = of("logged"), runUsedArtifactVersions = of("used");
const runCreatedAt = (run) => (run ? new Date(run.createdAt) : undefined);
const summaryState = (run) => ("state" in run.summaryDictionary ? run.summaryDictionary.state : run.state);
const runLoggedArtifactVersion = (run, wanted) => {
  const [name, alias] = wanted.split(":");
  return run?.logged.find((a) => a.name === name && (a.version === alias || a.aliases.includes(alias)));
};

const encode = (value) => {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : Number.isFinite(value) ? value : { $number: String(value) };
  if (value instanceof Date) return { $date: value.getTime() };
  if (value.isRun) return { $run: value.id };
  if (value.isArtifact) return { $artifact: `${value.name}:${value.version}` };
  if (value.isGroup) return { key: encode(value.key), count: value.length };
  if (Array.isArray(value)) return value.map(encode);
  if (value[ENTRIES]) return unflattened(value[ENTRIES], value[PREFIX]);
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, encode(v)]));
  return value;
};

const names = ["runs", "runConfig", "runSummary", "runHistory", "runName", "runId", "runState", "runTags", "runJobType",
  "runGroup", "runUser", "runProject", "runRuntime", "runLoggedArtifactVersions", "runUsedArtifactVersions",
  "runCreatedAt", "summaryState", "runLoggedArtifactVersion", "List"];
const known = [runs, runConfig, runSummary, runHistory, runName, runId, runState, runTags, runJobType,
  runGroup, runUser, runProject, runRuntime, runLoggedArtifactVersions, runUsedArtifactVersions,
  runCreatedAt, summaryState, runLoggedArtifactVersion, List];
for (const program of input.programs) {
  let answer;
  try {
    answer = { value: encode(new Function(...names, program)(...known)) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
