// What programs of the notation find: runs, their operations, dictionaries, and what W&B's lists can beside JavaScript's.
"use strict";

const AGGREGATES = new Set(["count", "avg", "max", "min", "sum", "stddev"]);
const isMissing = (value) => value === undefined || value === null;
const ordinary = (value) => (isMissing(value) || (typeof value === "number" && Number.isNaN(value)) ? undefined : value);

// "`<` and its kin order numbers with numbers and text with text": lists and dictionaries are ordered with nothing.
const unordered = (written) => (hint) => (hint === "number" ? NaN : written);

// A dictionary: a key is the same nested and dotted. `entries` holds the leaves under their dotted names.
class Dictionary {
  constructor(entries, prefix = "", more = {}) { Object.assign(this, more, { entries, prefix }); }
  [Symbol.toPrimitive](hint) { return unordered("[object Object]")(hint); }
  has(key) {
    const name = this.prefix + key;
    return this.entries.has(name) || [...this.entries.keys()].some((each) => each.startsWith(name + "."));
  }
  at(key) {
    const name = this.prefix + key;
    if (this.entries.has(name)) return this.entries.get(name);
    return this.has(key) ? new Dictionary(this.entries, name + ".") : undefined;
  }
  leaves() {
    return [...this.entries].filter(([name]) => name.startsWith(this.prefix))
      .map(([name, value]) => [name.slice(this.prefix.length), value]);
  }
}

// Leaves of an object under dotted names; an empty object is one itself.
const flattened = (object, prefix, into) => {
  for (const [key, value] of object) {
    if (value instanceof Map && value.size > 0) flattened(value, `${prefix}${key}.`, into);
    else into.set(prefix + key, value instanceof Map ? new Dictionary(new Map()) : value);
  }
  return into;
};
const dictionary = (object, more) => new Dictionary(flattened(object, "", new Map()), "", more);

class List extends Array {
  static get [Symbol.species]() { return List; }
  static from_(items) { const list = new List(); for (const item of items) list.push(item); return list; }
  [Symbol.toPrimitive](hint) { return unordered(this.join(","))(hint); }
  of(f) { return f ? this.map((x) => f(x)) : this; }
  numbers() {
    const found = [...this].map((x) => (x instanceof Date ? x.getTime() : x));
    return found.filter((x) => typeof x === "number" && !Number.isNaN(x));
  }
  // The aggregate of the numbers; missing where there are none, or where it is no number.
  folded(f, fold) { const n = this.of(f).numbers(); return n.length ? ordinary(fold(n)) : undefined; }
  extreme(f, better) {
    const found = this.of(f).folded(undefined, (n) => n.reduce((a, b) => (better(b, a) ? b : a)));
    return found !== undefined && this.of(f).some((x) => x instanceof Date) ? new Date(found) : found;
  }
  count(f) { return f ? this.filter((x) => f(x)).length : this.length; }
  // Over groups an aggregate is one row a group.
  aggregate(name, values) {
    return this.ofGroups ? List.from_(this.map((group) => ({ key: group.key, value: group[name](...values) }))) : this[name](...values);
  }
  sum(f) { return this.folded(f, (n) => n.reduce((a, b) => a + b, 0)); }
  avg(f) { return this.folded(f, (n) => n.reduce((a, b) => a + b, 0) / n.length); }
  max(f) { return this.extreme(f, (a, b) => a > b); }
  min(f) { return this.extreme(f, (a, b) => a < b); }
  stddev(f) {
    return this.folded(f, (n) => {
      const mean = n.reduce((a, b) => a + b, 0) / n.length;
      return Math.sqrt(n.reduce((a, b) => a + (b - mean) ** 2, 0) / n.length);
    });
  }
  limit(n) { return this.slice(0, n); }
  first() { return this[0]; }
  last() { return this[this.length - 1]; }
  flatten() { return List.from_([...this].flat(1)); }
  reverse() { return List.from_([...this].reverse()); }
  unique() {
    const seen = new Map();
    for (const item of this) { const key = identity(item); if (!seen.has(key)) seen.set(key, item); }
    return List.from_(seen.values());
  }
  groupBy(of) {
    const groups = new Map();
    for (const item of this) {
      const value = of(item), key = identity(value);
      if (!groups.has(key)) groups.set(key, Object.assign(new List(), { key: value, isGroup: true }));
      groups.get(key).push(item);
    }
    return Object.assign(List.from_(groups.values()), { ofGroups: true });
  }
}

// As a Map's key, but content in place of identity for lists, objects and dates.
const identity = (value) =>
  isMissing(value) ? "missing"
  : typeof value === "number" ? `number ${value === 0 ? 0 : value}`
  : typeof value !== "object" ? `${typeof value} ${value}`
  : value.isRun ? `run ${value.place}`
  : value instanceof Date ? `date ${value.getTime()}`
  : value instanceof List ? `list ${JSON.stringify([...value].map(identity))}`
  : value instanceof Dictionary ? `object ${JSON.stringify(value.leaves().map(([k, v]) => [k, identity(v)]).sort())}`
  : `record ${JSON.stringify(Object.entries(value).map(([k, v]) => [k, identity(v)]))}`;

const $number = (value) => ordinary(value);
// "Arithmetic with a missing value is missing": also to the power of 0, which JavaScript takes for 1.
const $power = (a, b) => ordinary(Number.isNaN(Number(a ?? NaN)) ? NaN : Number(a) ** Number(b));
const $in = (key, of) => of instanceof Dictionary && of.has(key);
const hasIdentity = (value) => value instanceof List || value instanceof Dictionary || value instanceof Date;
const $same = (a, b) => {
  if (hasIdentity(a) && hasIdentity(b)) throw new Error("refused: === of two lists, objects or dates");
  return (isMissing(a) && isMissing(b)) || a === b;
};

// A list of something missing is empty: so are a missing run's tags, and what is mapped of a key that is not there.
const LISTS = new Set(["tags", "history", "loggedArtifactVersions", "usedArtifactVersions", "aliases"]);
const OF_LISTS = new Set(["map", "filter", "flatMap", "flatten", "some", "every", "find", "join", "count"]);

const $member = (of, key) => {
  if (isMissing(of)) return LISTS.has(key) ? new List() : undefined;
  if (of instanceof List) {
    if (typeof key === "number" || key === "length") return of[key];
    if (of.isGroup && key === "key") return of.key;
    if (of.isValue) return undefined; // an array of JSON has no names
    return AGGREGATES.has(key) ? of.aggregate(key, []) : List.from_(of.map((each) => $member(each, key)));
  }
  if (of instanceof Dictionary) return of.at(key);
  if (of.isRun) return OPERATIONS["run" + key[0].toUpperCase() + key.slice(1)](of);
  return of[key] ?? undefined;
};

const $call = (of, name, values) => {
  if (OF_LISTS.has(name) && !(of instanceof List)) return new List()[name](...values);
  if (isMissing(of)) return undefined;
  if (of.isRun) return OPERATIONS["run" + name[0].toUpperCase() + name.slice(1)](of, ...values);
  // What is no text has no text's methods; what cannot be computed from something missing is missing.
  if (typeof of[name] !== "function") return undefined;
  if (typeof of === "string" && values.some(isMissing)) return undefined;
  if (of instanceof List && AGGREGATES.has(name)) return of.aggregate(name, values);
  const found = of[name](...values);
  return Array.isArray(found) && !(found instanceof List) ? List.from_(found) : found;
};

// Lists sort in the order of f, stable, those that lack it last.
const $sort = (of, f, sign) => {
  const keyed = [...of].map((item) => [item, Number(f(item))]);
  const there = keyed.filter(([, key]) => !Number.isNaN(key)), lacking = keyed.filter(([, key]) => Number.isNaN(key));
  there.sort(([, a], [, b]) => (a === b ? 0 : a < b ? -sign : sign));
  return List.from_([...there, ...lacking].map(([item]) => item));
};

// The best element over those that have f; numbers, or texts where all are texts.
const $reduce = (of, f, replaces) => {
  const all = [...of].map((item) => [item, f(item)]).filter(([, key]) => !isMissing(key));
  const areTexts = all.length > 0 && all.every(([, key]) => typeof key === "string");
  const there = areTexts ? all : all.map(([item, key]) => [item, Number(key)]).filter(([, key]) => !Number.isNaN(key));
  return there.length ? there.reduce((best, x) => (replaces(x[1], best[1]) ? x : best))[0] : undefined;
};

const of = (name) => (run) => (run instanceof List ? List.from_(run.map((each) => each[name] ?? undefined)) : (run?.[name] ?? (LISTS.has(name) ? new List() : undefined)));
const time = (text) => (isMissing(text) ? undefined : new Date(text));
const OPERATIONS = {
  ...Object.fromEntries(["config", "summary", "name", "id", "state", "jobType", "group", "sweep", "user", "project", "entity",
    "notes", "createdAt", "heartbeatAt", "runtime", "tags", "history", "loggedArtifactVersions", "usedArtifactVersions"]
    .map((name) => ["run" + name[0].toUpperCase() + name.slice(1), of(name)])),
  runLoggedArtifactVersion: (run, wanted) => {
    const [, name, alias] = /^(.*):([^:]*)$/.exec(wanted);
    return run?.loggedArtifactVersions.find((a) => a.name === name && (a.version === alias || a.aliases.includes(alias)));
  },
  compareConfigs: (a, b) => {
    const keys = [...new Set([...a.leaves(), ...b.leaves()].map(([key]) => key))].sort();
    return List.from_(keys.map((key) => {
      const [left, right] = [a.entries.get(key), b.entries.get(key)];
      return { key, left, right, differs: identity(left) !== identity(right) };
    }));
  },
};

const asValue = (items) => Object.assign(List.from_(items), { isValue: true });
const loaded = (value) =>
  isMissing(value) ? undefined
  : Array.isArray(value) ? asValue(value.map(loaded))
  : typeof value !== "object" ? value
  : "n" in value ? Number(value.n) : new Map(value.o.map(([key, item]) => [key, loaded(item)]));

// What stands in a list is an object as it is written, not dotted: members of it are plain.
const settle = (value) => {
  if (value instanceof List) return asValue(value.map(settle));
  return value instanceof Map ? new Dictionary(new Map([...value].map(([k, v]) => [k, settle(v)]))) : value;
};
const settled = (map) => new Map([...map].map(([k, v]) => [k, v instanceof List ? settle(v) : v instanceof Map ? settled(v) : v]));
const document_ = (value, more) => dictionary(settled(loaded(value) ?? new Map()), more);

const artifact = (a) => ({
  ...a, isArtifact: true, aliases: List.from_(a.aliases), metadata: document_(a.metadata), createdAt: time(a.createdAt),
});
const run = (r, place) => {
  const key = [r.entity, r.project, r.id];
  const config = document_(r.config), summary = document_(r.summary);
  if (!summary.entries.has("state")) summary.at = (name) => (name === "state" ? r.state : Dictionary.prototype.at.call(summary, name));
  return {
    ...r, isRun: true, place, config, summary,
    createdAt: time(r.createdAt), heartbeatAt: time(r.heartbeatAt), tags: List.from_(r.tags),
    history: List.from_(r.history.map((row) => document_(row, { isRow: true, key }))),
    loggedArtifactVersions: List.from_(r.logged.map(artifact)),
    usedArtifactVersions: List.from_(r.used.map(artifact)),
  };
};

module.exports = { Dictionary, List, OPERATIONS, isMissing, run, $number, $power, $in, $same, $member, $call, $sort, $reduce };
