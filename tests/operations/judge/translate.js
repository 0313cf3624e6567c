// Turns a program in the notation into JavaScript that Node.js runs, by Node's own parser (acorn).
//
// Only what docs/operations.md says of its own is turned: names with a hyphen, members of something missing, missing in
// place of null and of NaN from arithmetic, the order of `sort` and `reduce`. All the rest is the engine's.
"use strict";
const acorn = require("internal/deps/acorn/acorn/dist/acorn");

const AS_THEY_ARE = new Set(["Math", "Date", "console"]);
const ARITHMETIC = new Set(["+", "-", "*", "/", "%", "**"]);
const ORDER = new Set(["<", "<=", ">", ">="]);

// `run-config(r)` is runConfig(r); what stands in quotes stays.
const camel = (text) =>
  text.replace(/"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|\brun-([a-zA-Z]+)/g, (whole, name) =>
    name === undefined ? whole : "run" + name[0].toUpperCase() + name.slice(1));

const children = (node) =>
  Object.entries(node).filter(([key]) => key !== "type").flatMap(([, value]) => value)
    .filter((each) => each && typeof each.type === "string").sort((a, b) => a.start - b.start);

class Translator {
  constructor(text) { this.text = camel(text); }

  // A node's text with its children turned.
  spliced(node) {
    let out = "", at = node.start;
    for (const child of children(node)) {
      if (child.start < at) continue;
      out += this.text.slice(at, child.start) + this.turned(child);
      at = child.end;
    }
    return out + this.text.slice(at, node.end);
  }

  turned(node) {
    const rule = this[node.type];
    return rule ? rule.call(this, node) : this.spliced(node);
  }

  Literal(node) { return node.raw === "null" ? "undefined" : node.raw; }
  Property(node) { return `${this.text.slice(node.key.start, node.key.end)}: ${this.turned(node.value)}`; }
  ChainExpression(node) { return this.turned(node.expression); }

  key(node) { return node.computed ? this.turned(node.property) : JSON.stringify(node.property.name); }

  MemberExpression(node) {
    if (node.object.type === "Identifier" && AS_THEY_ARE.has(node.object.name)) return this.spliced(node);
    return `$member(${this.turned(node.object)}, ${this.key(node)})`;
  }

  CallExpression(node) {
    const values = node.arguments.map((each) => this.turned(each)).join(", ");
    if (node.callee.type === "Identifier") {
      const name = node.callee.name;
      return name === "Number" ? `$number(Number(${values}))` : name === "alert" ? `$log(${values})` : `${name}(${values})`;
    }
    const { object, property } = node.callee;
    if (object.name === "Math" && property.name === "pow") return `$power(${values})`;
    if (object.name === "Math") return `$number(Math.${property.name}(${values}))`;
    if (object.name === "Date") return `Date.${property.name}(${values})`;
    if (object.name === "console") return `$log(${values})`;
    const parts = { sort: this.order, reduce: this.choice }[property.name]?.call(this, node.arguments);
    if (parts) return `$${property.name}(${this.turned(object)}, ${parts})`;
    return `$call(${this.turned(object)}, ${this.key(node.callee)}, [${values}])`;
  }

  // (a, b) => f(a) - f(b), the other way round where it descends: f as a function, and the sign.
  order([arrow]) {
    const { params: [a, b], body } = arrow;
    if (body.type !== "BinaryExpression" || body.operator !== "-") return undefined;
    const descends = this.speaksOf(body.left, b.name);
    return `${(descends ? b : a).name} => ${this.turned(body.left)}, ${descends ? -1 : 1}`;
  }

  // (best, x) => f(x) > f(best) ? x : best: f as a function, and whether the next one replaces the best.
  choice([arrow, start]) {
    const { params: [best, next], body } = arrow;
    if (start || body.type !== "ConditionalExpression" || !ORDER.has(body.test.operator)) return undefined;
    const [side, other] = this.speaksOf(body.test.left, next.name) ? ["left", "right"] : ["right", "left"];
    const [x, y] = side === "left" ? ["x", "best"] : ["best", "x"];
    const takes = `${x} ${body.test.operator} ${y}`;
    if (!this.speaksOf(body.test[other], best.name)) return undefined;
    const replaces = body.consequent.name === next.name ? takes : `!(${takes})`;
    return `${next.name} => ${this.turned(body.test[side])}, (x, best) => ${replaces}`;
  }

  speaksOf(node, name) {
    if (node.type === "Identifier" && node.name === name) return true;
    return children(node).some((each) => this.speaksOf(each, name));
  }

  BinaryExpression(node) {
    const [a, b] = [this.turned(node.left), this.turned(node.right)];
    if (node.operator === "**") return `$power(${a}, ${b})`;
    if (ARITHMETIC.has(node.operator)) return `$number((${a}) ${node.operator} (${b}))`;
    if (node.operator === "in") return `$in(${a}, ${b})`;
    if (ORDER.has(node.operator)) return `((${a}) ${node.operator} (${b}))`;
    return node.operator[0] === "=" ? `$same(${a}, ${b})` : `!$same(${a}, ${b})`;
  }

  UnaryExpression(node) {
    const value = this.turned(node.argument);
    return node.operator === "-" || node.operator === "+" ? `$number(${node.operator} (${value}))` : `${node.operator} (${value})`;
  }

  // The statements of a program: each thing shown is kept, and of last assignments the last.
  program() {
    const lines = [];
    const nodes = acorn.parse(this.text, { ecmaVersion: 2022 }).body.filter((node) => node.type !== "EmptyStatement");
    for (const node of nodes) {
      if (node.type === "VariableDeclaration") {
        for (const { id, init } of node.declarations) lines.push(`var ${id.name} = $assigned(${this.turned(init)});`);
      } else if (node.type === "ExpressionStatement" && node.expression.type === "AssignmentExpression") {
        const { left, right } = node.expression;
        lines.push(`var ${left.name} = $assigned(${this.turned(right)});`);
      } else if (node.type === "ExpressionStatement" && !this.isEffect(node.expression)) {
        lines.push(`$show(${this.turned(node.expression)});`);
      } else {
        lines.push(`$effect(() => { ${this.turned(node)} });`);
      }
    }
    const last = nodes.at(-1);
    if (last.type === "VariableDeclaration" || last.expression?.type === "AssignmentExpression") lines.push("$showLast();");
    return lines.join("\n");
  }

  isEffect(node) {
    const callee = node.type === "CallExpression" ? node.callee : {};
    return callee.name === "alert" || callee.object?.name === "console" || callee.property?.name === "forEach";
  }
}

module.exports = (text) => new Translator(text).program();
