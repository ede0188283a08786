// The tree: each family with its instruments, as bars.

import { h, marked, percent, told } from "./dom.js";

export function tree(view) {
  return h("ul", { class: "tree" }, view.tree.map(branch));
}

function branch(each) {
  const below = [...each.tags.map((tag) => h("li", {}, row(tag))), ...each.branches.map(branch)];
  return h("li", { class: "family-of" }, row(each), h("ul", {}, below));
}

function row(score) {
  const fill = h("i");
  fill.style.width = `${(100 * score.probability).toFixed(1)}%`;
  return h(
    "div",
    { class: `row ${told(score)}` },
    marked(score),
    h("span", { class: "bar", "aria-hidden": "true" }, fill),
    h("span", { class: "percent" }, percent(score.probability)),
  );
}
