// Why: the attention of each family as a heat map and in words, of the window under the cursor or
// of all of the recording.

import { h, MARKS, percent, span, told, walk } from "./dom.js";
import { get } from "./api.js";

const WAIT = 60; // ms that the cursor must rest before the server is asked

const POINT = "Point into the lanes, or play, to look at a moment.";

export class Why {
  constructor(view, base) {
    Object.assign(this, { view, base });
    this.known = new Map();
    this.of = h("p", { class: "moment-of" });
    this.words = h("ul", { class: "words" });
    this.glance = h("p", { class: "glance" }); // the same in a line, to stand below the lanes
    this.map = view.attention ? this.#table() : null;
    this.node = h(
      "div",
      { class: this.map ? "why" : "why plain" },
      h("div", { class: "moment", "aria-live": "polite", "aria-atomic": "true" }, this.of, this.words),
      this.map,
    );
    this.whole();
  }

  // time: where the cursor is, in seconds, or null; family: whose lane it is in
  look(time, family = null) {
    this.family = family;
    if (time === null || this.view.starts.length < 2) return this.#later(() => this.whole(), 400);
    this.#later(() => this.#moment(time), WAIT);
  }

  #later(what, wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(what, wait);
  }

  whole() {
    this.at = null;
    const scores = Object.fromEntries(
      walk(this.view.tree).flatMap((each) => [each, ...each.tags]).map((each) => [each.id, each]),
    );
    this.glance.textContent = POINT;
    this.#show("All of the recording", this.view.sentences, this.view.attention, scores);
  }

  async #moment(time) {
    const held = [...this.known.values()].find((each) => each.start <= time && time < each.end);
    if (held) return this.#told(held);
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const moment = await get(`${this.base}/moment`, { at: time.toFixed(3) }, this.asked.signal);
      this.known.set(moment.start, moment);
      this.#told(moment);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.words.replaceChildren(h("li", {}, error.message));
    }
  }

  #told(moment) {
    const family = this.family ?? loudest(moment);
    const words = family ? moment.families[family] : moment.headline;
    this.glance.replaceChildren(h("b", {}, span(moment.start, moment.end)), ` ${words}`);
    if (this.at === moment.start) return;
    this.at = moment.start;
    this.#show(span(moment.start, moment.end), moment.sentences, moment.attention, moment.scores);
  }

  #show(what, sentences, attention, scores) {
    this.of.replaceChildren(h("b", {}, what));
    const words = sentences.length ? sentences : ["No family was heard."];
    this.words.replaceChildren(...words.map((each) => h("li", {}, each)));
    for (const { group, tag, cell } of this.cells ?? []) {
      const weight = attention?.[group]?.[tag] ?? 0;
      cell.style.setProperty("--p", weight);
      cell.textContent = weight >= 0.005 ? Math.round(100 * weight) : "";
    }
    for (const { id, node, number, mark, said } of this.heads ?? []) {
      const score = scores[id];
      node.className = told(score);
      number.textContent = percent(score.probability);
      mark.textContent = MARKS[score.answer];
      said.textContent = `, ${score.answer}`;
    }
  }

  #table() {
    Object.assign(this, { cells: [], heads: [] });
    const branches = walk(this.view.tree); // in the order of the rows: a staircase
    const bodies = branches.filter((each) => each.tags.length).map((branch) => {
      const own = new Set([branch.id, ...branch.path.map((each) => each.id)]);
      return h("tbody", {}, branch.tags.map((tag) => this.#row(tag, branches, own)));
    });
    const table = h(
      "table",
      { class: "attention" },
      h("caption", { class: "said" }, "How much each family heeded each instrument, in percent"),
      h("thead", {}, h("tr", {}, h("td"), branches.map((branch) => this.#head(branch, "col")))),
      bodies,
    );
    return h("div", { class: "scroll", role: "region", "aria-label": "Attention map", tabindex: "0" }, table);
  }

  #row(tag, branches, own) {
    const cells = branches.map((branch) => {
      const cell = h("td", { class: own.has(branch.id) ? "own" : null });
      this.cells.push({ group: branch.id, tag: tag.id, cell });
      return cell;
    });
    return h("tr", {}, this.#head(tag, "row"), cells);
  }

  #head(score, scope) {
    const mark = h("span", { class: "mark", "aria-hidden": "true" });
    const said = h("span", { class: "said" });
    const number = h("span", { class: "percent" });
    const name = h("span", { class: "name" }, score.label, said);
    const inner = scope === "col" ? [h("span", { class: "turned" }, mark, name), number] : h("div", { class: "entry" }, mark, name, number);
    const node = h("th", { scope }, inner);
    this.heads.push({ id: score.id, node, number, mark, said });
    return node;
  }

  destroy() {
    clearTimeout(this.timer);
    this.asked?.abort();
  }
}

function loudest(moment) {
  const groups = Object.keys(moment.families);
  const chance = (group) => moment.scores[group].probability;
  return groups.length ? groups.reduce((best, group) => (chance(group) > chance(best) ? group : best)) : null;
}
