// The page of the sheet for raters. @DATA@ stands for the JSON that sheet.cpp writes.
#pragma once

namespace lynceus::evaluate {

constexpr const char* kSheetPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>OwlEval: rate the answers</title>
<style>
:root { --line: #d5dae1; --accent: #0b5cad; --warn: #a33000; --done: #1d7a3a; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #eef1f5; }
header { position: sticky; top: 0; z-index: 1; background: #fff; border-bottom: 1px solid var(--line); }
header > div, main { max-width: 74rem; margin: 0 auto; padding: .7rem 1.2rem; }
header > div { display: flex; flex-wrap: wrap; gap: .6rem 1.4rem; align-items: center; }
h1 { font-size: 1.1rem; margin: 0; }
h2 { font-size: 1.05rem; margin: .1rem 0 .8rem; white-space: pre-wrap; }
input[type=text] { font: inherit; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: .3rem; }
button { font: inherit; padding: .3rem 1rem; border: 0; border-radius: .3rem; background: var(--accent); color: #fff; }
button:disabled { background: #8f9bab; }
section { background: #fff; border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.2rem; margin: 1rem 0; }
section.done { border-left: .35rem solid var(--done); }
.number { color: #5b6675; font-size: .85rem; }
.content { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 1.4rem; align-items: start; }
@media (max-width: 50rem) { .content { grid-template-columns: 1fr; } }
@media (min-width: 50.01rem) { .content > div:first-child { position: sticky; top: 5rem; } }
svg { width: 100%; max-height: 30rem; border: 1px solid var(--line); background: #fff; }
image { image-orientation: none; }
.missing { padding: 2rem; border: 1px dashed var(--line); color: #5b6675; text-align: center; }
fieldset { border: 1px solid var(--line); border-radius: .4rem; margin: 0 0 .8rem; padding: .3rem .9rem .7rem; }
legend { font-weight: 600; padding: 0 .4rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .5rem; }
.scores label { display: inline-block; padding: .1rem .7rem .1rem .2rem; cursor: pointer; }
.alert { color: var(--warn); min-height: 1.5em; margin: 0; }
</style>
</head>
<body>
<header><div>
<h1>Rate the answers</h1>
<label>Your name <input type="text" id="rater" autocomplete="off"></label>
<span id="progress"></span>
<button id="save" disabled>Save the filled sheet</button>
<span id="needed" class="number"></span>
</div></header>
<main>
<p>Give each answer a score from 1 (worst) to 5 (best). First look whether the answer is correct, then
how rich it is. <span id="rules"></span> Your scores are kept in this browser until you save them.</p>
<div id="items"></div>
</main>
<script type="application/json" id="data">@DATA@</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const kept = "owleval " + data.sheet;
let state = { rater: "", scores: {} };  // scores: by question, in the order shown; 0 is none
try {
  const stored = JSON.parse(localStorage.getItem(kept));
  if (stored && stored.scores) state = stored;
} catch (error) { /* a browser that keeps nothing */ }
for (const item of data.items)
  if (!Array.isArray(state.scores[item.id])) state.scores[item.id] = item.answers.map(() => 0);

// How many answers share their score with another one.
function tiedModels(scores) {
  return scores.filter((score, place) =>
    score > 0 && scores.some((other, there) => there !== place && other === score)).length;
}
function ties() {
  return data.items.filter((item) => tiedModels(state.scores[item.id]) > 0).length;
}
// What forbids this score; empty: nothing.
function forbidden(item, place, score) {
  const scores = state.scores[item.id].slice();
  const before = ties() - (tiedModels(scores) > 0 ? 1 : 0);
  scores[place] = score;
  if (tiedModels(scores) > data.most_tied_models)
    return `At most ${data.most_tied_models} answers to a question may have the same score.`;
  if (tiedModels(scores) > 0 && before >= data.most_ties)
    return `At most ${data.most_ties} questions may have answers with the same score.`;
  return "";
}
function keep() {
  try { localStorage.setItem(kept, JSON.stringify(state)); } catch (error) { /* not kept */ }
}
function element(name, parent, text, properties) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  Object.assign(made, properties || {});
  parent.append(made);
  return made;
}
function showPicture(item, parent) {
  const picture = data.pictures[item.image];
  if (!picture) return element("div", parent, item.image || "no picture", { className: "missing" });
  const space = "http://www.w3.org/2000/svg", pad = data.padding;
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${picture.width + 2 * pad} ${picture.height + 2 * pad}`);
  const image = document.createElementNS(space, "image");
  for (const [key, value] of Object.entries({ x: pad, y: pad, width: picture.width,
                                              height: picture.height, href: picture.source }))
    image.setAttribute(key, value);
  svg.append(image);
  parent.append(svg);
}
function choose(item, place, score, alert, boxes) {
  const why = forbidden(item, place, score);
  alert.textContent = why;
  if (!why) state.scores[item.id][place] = score;
  boxes.forEach((box, at) => { box.checked = at + 1 === state.scores[item.id][place]; });
  keep();
  showProgress();
}
function showAnswer(item, place, parent, alert) {
  const field = element("fieldset", parent);
  element("legend", field, "Answer " + String.fromCharCode(65 + place));
  const text = item.answers[place];
  element("p", field, text || "(empty answer)", { className: "text" });
  const row = element("div", field, undefined, { className: "scores" });
  const boxes = [];
  for (let score = 1; score <= data.most_score; ++score) {
    const label = element("label", row);
    const box = element("input", label, undefined,
                        { type: "radio", name: `q${item.id}-${place}`, value: String(score) });
    label.append(" " + score);
    box.checked = state.scores[item.id][place] === score;
    box.addEventListener("change", () => choose(item, place, score, alert, boxes));
    boxes.push(box);
  }
}
const sections = {};
data.items.forEach((item, at) => {
  const section = element("section", document.getElementById("items"), undefined, { id: "q" + item.id });
  sections[item.id] = section;
  element("div", section, `Question ${at + 1} of ${data.items.length}`, { className: "number" });
  element("h2", section, item.question);
  const content = element("div", section, undefined, { className: "content" });
  showPicture(item, element("div", content));
  const answers = element("div", content);
  const alert = document.createElement("p");
  alert.className = "alert";
  alert.setAttribute("role", "alert");
  item.answers.forEach((unused, place) => showAnswer(item, place, answers, alert));
  answers.append(alert);
});
const rater = document.getElementById("rater"), save = document.getElementById("save");
rater.value = state.rater;
rater.addEventListener("input", () => { state.rater = rater.value.trim(); keep(); showProgress(); });
function showProgress() {
  let rated = 0;
  for (const item of data.items) {
    const isDone = state.scores[item.id].every((score) => score > 0);
    sections[item.id].classList.toggle("done", isDone);
    rated += isDone;
  }
  document.getElementById("progress").textContent =
    `${rated} of ${data.items.length} questions rated, ${ties()} of ${data.most_ties} ties used`;
  const needed = [];
  if (rated < data.items.length) needed.push("rate all questions");
  if (!state.rater) needed.push("enter your name");
  save.disabled = needed.length > 0;
  document.getElementById("needed").textContent = needed.length ? "To save: " + needed.join(", ") : "";
}
save.addEventListener("click", () => {
  const filled = { format: data.format, version: 1, sheet: data.sheet, seed: data.seed,
                   rater: state.rater, scores: state.scores };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(filled, null, 1)], { type: "application/json" }));
  link.download = `owleval-${state.rater.replace(/[^A-Za-z0-9]+/g, " ").trim().replace(/ /g, "-")}.json`;
  link.click();
});
document.getElementById("rules").textContent =
  `At most ${data.most_tied_models} answers to a question may have the same score, and that on at ` +
  `most ${data.most_ties} questions.`;
showProgress();
</script>
</body>
</html>
)page";

}  // namespace lynceus::evaluate
