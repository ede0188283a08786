// One recording: what was heard, when, why, and downloads.

import { clock, h, walk } from "./dom.js";
import { get, save } from "./api.js";
import { Lanes } from "./lanes.js";
import { Player } from "./player.js";
import { tree } from "./tree.js";
import { Why } from "./why.js";

export class Recording {
  // base: the recording's address below /api; source: of Player; more: nodes below the facts
  constructor({ base, source, health, name, more = null }) {
    Object.assign(this, { base, source, health, more });
    this.node = h("article", { class: "recording", tabindex: "-1", "aria-label": name }, h("p", { class: "key", role: "status" }, "Fetching what was heard …"));
    this.#fetch();
  }

  async #fetch() {
    try {
      const view = await get(`${this.base}/view`);
      if (!this.gone) await this.#show(view);
    } catch (error) {
      this.node.replaceChildren(notice("What was heard can't be shown.", error.message));
    }
  }

  async #show(view) {
    this.view = view;
    this.node.replaceChildren(this.#top(view));
    if (!view.tree.length) {
      this.node.append(view.status === "failed" ? "" : this.#downloads());
      return;
    }
    this.player = new Player(this.source, view.ends.at(-1) ?? view.seconds, view.name);
    this.why = new Why(view, this.base);
    this.lanes = new Lanes(view, this.player, (time, family) => this.why.look(time, family));
    const unsure = walk(view.tree).some((each) => [each, ...each.tags].some((score) => score.answer === "unsure"));
    this.node.append(
      section("When", `The fuller the colour, the more probable${view.binned ? "; a cell shows the most probable of the windows it covers" : ""}. Click in a lane to play from there.${unsure ? " Hatched lanes (◐) are unsure: over the whole recording the evidence is thin." : ""}`, this.lanes.node, view.starts.length > 1 ? this.why.glance : null),
      section("Why", view.attention ? "Each column of the map is a family and shows, in percent, how it spread its attention over the instruments. Its own instruments are framed." : null, this.why.node),
      section("Families and instruments", legend(unsure), tree(view)),
      this.#downloads(),
    );
    if (view.notes.length) {
      this.node.append(section("Notes", null, h("ul", { class: "words" }, view.notes.map((note) => h("li", {}, note)))));
    }
    this.lanes.draw();
    await this.player.start();
  }

  #top(view) {
    const facts = [["Length", clock(view.seconds)], ["Model", view.model], ["Families", view.taxonomy || "their own"]];
    const shown = view.status === "failed" ? facts.slice(1) : facts;
    return h(
      "header",
      {},
      h("h1", {}, view.name),
      h("p", { class: "headline" }, view.headline),
      h("dl", { class: "facts" }, shown.map(([key, fact]) => h("div", {}, h("dt", {}, key), h("dd", {}, fact)))),
      view.reason ? notice(kind(view), view.message, view.advice, view.reason) : null,
      this.more,
    );
  }

  #downloads() {
    const said = h("p", { class: "key", role: "status" });
    const button = ({ name, suffix }) => {
      const press = async () => {
        said.textContent = "";
        try {
          await save(`${this.base}/result/${name}`, this.view.name + suffix);
        } catch (error) {
          said.textContent = error.message;
        }
      };
      return h("button", { class: "button small", type: "button", onclick: press }, name);
    };
    return section("Take it with you", "What was heard, in a file. html is a page of its own; audacity and sonic-visualiser are labels to open beside the sound.", h("div", { class: "downloads" }, this.health.formats.map(button)), said);
  }

  toggle() {
    this.player?.toggle();
  }

  playFrom(time) {
    this.player?.playFrom(time);
  }

  destroy() {
    this.gone = true;
    this.player?.destroy();
    this.lanes?.destroy();
    this.why?.destroy();
    this.node.remove();
  }
}

export function section(title, key, ...inner) {
  const id = `s-${title.toLowerCase().replaceAll(" ", "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), key ? h("p", { class: "key" }, key) : null, inner);
}

// strong words, why, what to do, and the code for those who ask for help
export function notice(words, because, advice = null, code = null) {
  return h(
    "div",
    { class: "notice" },
    h("p", {}, h("strong", {}, words), " ", because ?? "", code ? [" ", h("code", {}, code)] : null),
    advice ? h("p", {}, advice) : null,
  );
}

function kind(view) {
  return { failed: "Not heard.", partial: "Heard in part." }[view.status] ?? "Silence.";
}

function legend(unsure) {
  const term = (mark, words) => h("span", { class: "term" }, h("span", { "aria-hidden": "true" }, mark), ` ${words}`);
  const terms = [term("●", "heard"), unsure ? term("◐", "unsure: it may play, but the evidence is thin") : null, term("○", "not heard"), h("span", { class: "term" }, "The bar is how probable it is.")];
  return terms.filter(Boolean);
}
