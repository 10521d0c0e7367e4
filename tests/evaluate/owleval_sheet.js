// Fills a sheet of OwlEval as a rater does and checks that it keeps the rules: at most two answers with the
// same score, at most ten questions with such a tie, no saving before all is rated.
//
//   node owleval_sheet.js SHEET.html FILLED.json      writes what the sheet saves to FILLED.json
//
// The page runs on stand-ins for the few parts of the DOM that it uses.
"use strict";
const assert = require("assert");
const fs = require("fs");
const vm = require("vm");

class Element {
  constructor(name) {
    this.name = name;
    this.children = [];
    this.listeners = {};
    this.attributes = {};
    this.classes = new Set();
    this.textContent = "";
    this.value = "";
    this.checked = false;
    this.disabled = false;
    this.classList = { toggle: (name, isOn) => (isOn ? this.classes.add(name) : this.classes.delete(name)) };
  }
  append(...children) { this.children.push(...children); }
  setAttribute(key, value) { this.attributes[key] = value; }
  addEventListener(event, listener) { this.listeners[event] = listener; }
  fire(event) { this.listeners[event](); }
  click() { if (this.name === "a") saved = this; else this.fire("click"); }
}

let saved = null;
let blob = "";
const page = fs.readFileSync(process.argv[2], "utf-8");
const data = page.match(/id="data">([^]*?)<\/script>/)[1];
const program = page.match(/<script>([^]*?)<\/script>/)[1];
const stored = {};

// Opens the page. Returns its elements by id, and the radio buttons by "qID-PLACE".
function open() {
  const byId = { data: new Element("script") };
  byId.data.textContent = data;
  for (const id of ["items", "rater", "save", "needed", "progress", "rules"]) byId[id] = new Element(id);
  const boxes = {};
  const make = (name) => new Proxy(new Element(name), {
    set(target, key, value) {
      target[key] = value;
      if (key === "name" && name === "input") (boxes[value] = boxes[value] || []).push(target);
      return true;
    },
  });
  vm.runInNewContext(program, {
    document: {
      getElementById: (id) => byId[id],
      createElement: make,
      createElementNS: (space, name) => make(name),
    },
    localStorage: { getItem: (key) => stored[key] || null, setItem: (key, text) => { stored[key] = text; } },
    Blob: class { constructor(parts) { blob = parts.join(""); } },
    URL: { createObjectURL: () => "blob:" },
  });
  return { byId, boxes };
}

const { items, most_ties: mostTies } = JSON.parse(data);
assert.strictEqual(mostTies, 10);
let { byId, boxes } = open();
const rate = (item, place, score) => {
  const row = boxes[`q${item.id}-${place}`];
  row.forEach((box, at) => { box.checked = at + 1 === score; });
  row[score - 1].fire("change");
};
const rated = (item, place) => boxes[`q${item.id}-${place}`].findIndex((box) => box.checked) + 1;

assert.ok(items.length > 11 && items[0].answers.length === 3);
for (const item of items.slice(0, 10)) [3, 3].forEach((score, place) => rate(item, place, score));
assert.match(byId.progress.textContent, /^0 of \d+ questions rated, 10 of 10 ties used$/);
rate(items[0], 2, 3);  // a third one with the same score
assert.strictEqual(rated(items[0], 2), 0, "three answers with the same score");
rate(items[10], 0, 4);
rate(items[10], 1, 4);  // an eleventh tie
assert.strictEqual(rated(items[10], 1), 0, "eleven ties");
rate(items[9], 1, 5);  // gives one tie back
rate(items[10], 1, 4);
assert.strictEqual(rated(items[10], 1), 4);
rate(items[10], 1, 2);
for (const item of items.slice(0, 10)) rate(item, 2, 1);
rate(items[10], 2, 1);
for (const item of items.slice(11)) [1, 4, 2].forEach((score, place) => rate(item, place, score));
assert.ok(byId.save.disabled, "no name yet");
byId.rater.value = " Anna B. ";
byId.rater.fire("input");
assert.ok(!byId.save.disabled);

({ byId, boxes } = open());  // the same page, closed and opened again
assert.ok(!byId.save.disabled, "scores are kept");
assert.strictEqual(rated(items[9], 1), 5);
byId.save.fire("click");
assert.strictEqual(saved.download, "owleval-Anna-B.json");
assert.strictEqual(JSON.parse(blob).rater, "Anna B.");
fs.writeFileSync(process.argv[3], blob);
