// The library: a question, families as filters, and what plays where in each track.

import { clock, h, MARKS, percent, plain, span } from "./dom.js";
import { get } from "./api.js";
import { PAUSE, PLAY } from "./player.js";
import { notice, Recording, section } from "./recording.js";

const PAGE = 20;
const WAIT = 300; // ms after the last letter
const STRANDS = 4; // instruments shown of a track

export class LibraryPage {
  constructor(health) {
    this.health = health;
    this.question = h("input", { type: "search", name: "q", "aria-label": "Search the library", placeholder: "clarinet and not drums", autocomplete: "off", spellcheck: "false", "aria-describedby": "wrong" });
    this.wrong = h("div", { class: "wrong", id: "wrong", role: "alert", hidden: true });
    this.sort = h("select", {});
    this.least = h("input", { type: "number", min: "0", step: "5", placeholder: "0" });
    this.chips = h("div", { class: "filters", role: "group", "aria-label": "Families" });
    this.help = h("pre", { class: "language" });
    this.count = h("p", { class: "count", role: "status" });
    this.list = h("ul", { class: "tracks", "aria-label": "Tracks" });
    this.pages = h("div", { class: "pages" });
    this.stats = h("div");
    this.player = new Snippets();
    this.node = h(
      "div",
      {},
      h("form", { class: "ask", role: "search", onsubmit: (event) => this.#ask(event) }, this.question, h("button", { class: "button main" }, "Search")),
      this.wrong,
      this.chips,
      h("div", { class: "by" },
        h("label", {}, "sorted by ", this.sort),
        h("label", {}, "plays at least ", this.least, " s"),
        h("details", {}, h("summary", {}, "How to ask"), this.help)),
      this.count,
      this.list,
      this.pages,
      this.stats,
      this.player.node,
    );
    this.question.addEventListener("input", () => this.#soon());
    for (const each of [this.sort, this.least]) each.addEventListener("change", () => this.#go(0));
    this.ready = this.#about();
  }

  async enter(parameters) {
    await this.ready;
    this.question.value = parameters.get("q") ?? "";
    this.sort.value = parameters.get("sort") ?? this.sort.options[0]?.value ?? "";
    this.least.value = parameters.get("min_seconds") ?? "";
    this.family = parameters.get("group");
    this.offset = Math.max(0, Number(parameters.get("offset")) || 0);
    this.#press();
    await this.#find();
  }

  #press() {
    for (const chip of this.chips.children) chip.setAttribute("aria-pressed", String(chip.value === this.family));
  }

  leave() {
    clearTimeout(this.timer);
    this.player.stop();
  }

  toggle() {
    this.player.toggle();
  }

  async #about() {
    try {
      this.about = await get("/api/library");
    } catch (error) {
      this.count.textContent = error.message;
      return;
    }
    this.help.textContent = this.about.help;
    this.sort.append(...this.about.sorts.map((name) => h("option", { value: name }, name)));
    this.chips.append(...this.about.groups.map((group) => {
      const press = () => {
        this.family = this.family === group.id ? null : group.id;
        this.#go(0);
      };
      return h("button", { class: "chip", type: "button", "aria-pressed": "false", value: group.id, onclick: press }, group.label);
    }));
  }

  #soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#go(0, true), WAIT);
  }

  #ask(event) {
    event.preventDefault();
    clearTimeout(this.timer);
    this.#go(0);
  }

  // the address holds the question, so that it can be kept, sent and gone back to
  #go(offset, typing = false) {
    const query = new URLSearchParams();
    const asked = { q: this.question.value.trim(), group: this.family, min_seconds: this.least.value, offset: offset || "" };
    if (this.sort.selectedIndex > 0) asked.sort = this.sort.value;
    for (const [key, value] of Object.entries(asked)) if (value) query.set(key, value);
    const hash = query.size ? `#/library?${query}` : "#/library";
    if (hash === location.hash) return this.#find();
    if (!typing) location.hash = hash;
    else {
      history.replaceState(null, "", hash);
      this.#press();
      this.offset = offset;
      this.#find();
    }
  }

  async #find() {
    this.asked?.abort();
    const mine = (this.asked = new AbortController());
    const asked = { q: this.question.value.trim(), group: this.family, min_seconds: this.least.value, sort: this.sort.value, offset: this.offset, limit: PAGE };
    try {
      const found = await get("/api/tracks", asked, mine.signal);
      this.wrong.hidden = true;
      this.question.removeAttribute("aria-invalid");
      this.#show(found, asked);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#mend(error, asked.q);
    }
  }

  // the word that is meant, with carets below it
  #mend(error, question) {
    this.wrong.hidden = false;
    this.question.setAttribute("aria-invalid", "true");
    const parts = [error.message.charAt(0).toUpperCase() + error.message.slice(1)];
    if (error.at !== null && question) {
      const carets = " ".repeat(error.at) + "^".repeat(Math.max(1, error.length));
      parts.push(h("pre", { "aria-hidden": "true" }, `${question}\n${carets}`));
    }
    this.wrong.replaceChildren(...parts);
    this.count.textContent = "";
    for (const each of [this.list, this.pages]) each.hidden = true; // they answer another question
    this.stats.replaceChildren();
  }

  #show(found, asked) {
    const plainly = !asked.q && !asked.group && !asked.min_seconds;
    const [first, last] = [found.offset + 1, found.offset + found.tracks.length];
    const many = `${found.total.toLocaleString("en")} track${found.total === 1 ? "" : "s"}`;
    this.count.textContent = !found.total
      ? plainly ? "The library is empty. Fill it with: timbretree scan DIR --library FILE" : "No track is like that. Ask for less, or with ? for those that may play: clarinet?"
      : found.total > found.tracks.length ? `${first.toLocaleString("en")}–${last.toLocaleString("en")} of ${many}` : many;
    this.list.replaceChildren(...found.tracks.map((track) => this.#track(track)));
    this.list.hidden = !found.total;
    const turn = (words, offset, on) => h("button", { class: "button small", type: "button", disabled: !on, onclick: () => this.#go(offset) }, words);
    this.pages.hidden = found.total <= PAGE;
    this.pages.replaceChildren(turn("← Before", Math.max(0, found.offset - PAGE), found.offset > 0), turn("Next →", found.offset + PAGE, last < found.total));
    this.stats.replaceChildren(plainly && found.total ? this.#stats() : "");
  }

  #track(track) {
    const facts = [track.artist, track.album, track.seconds ? clock(track.seconds) : null].filter(Boolean).join(" · ");
    const strands = track.strands.slice(0, STRANDS).map((strand) => this.#strand(track, strand));
    return h(
      "li",
      { "data-id": track.id },
      h("div", { class: "track-name" }, h("a", { href: `#/track/${track.id}` }, track.title), h("small", {}, facts, track.note ? h("span", {}, ` · ${track.note}`) : null)),
      h("div", { class: "mini" }, strands),
    );
  }

  #strand(track, strand) {
    const lane = h("div", { class: "lane" });
    for (const [start, end, answer] of strand.spans) {
      const words = `Play ${strand.label} in ${track.title}, ${span(start, end)}${answer === "unsure" ? ", unsure" : ""}`;
      const button = h("button", { type: "button", class: answer === "unsure" ? "unsure" : null, "aria-label": words, title: span(start, end) });
      button.style.left = `${(100 * start) / track.seconds}%`;
      button.style.width = `${(100 * (end - start)) / track.seconds}%`;
      button.addEventListener("click", () => this.player.play(track, strand, start, end, button));
      lane.append(button);
    }
    return h("div", { class: "strand" }, h("span", {}, h("span", {}, `${MARKS[strand.answer]} ${strand.label}`), h("span", { class: "percent" }, percent(strand.probability))), lane);
  }

  #stats() {
    const { instruments, tracks } = this.about;
    if (!tracks) return "";
    const row = ({ id, label, heard }) => {
      const fill = h("i");
      fill.style.width = `${(100 * heard) / tracks}%`;
      const ask = () => {
        this.question.value = plain(id);
        this.#go(0);
        this.question.focus();
      };
      return h("button", { type: "button", onclick: ask, "aria-label": `${label}: ${heard} of ${tracks} tracks` }, h("span", {}, label), h("span", { class: "bar" }, fill), h("span", { class: "percent" }, heard.toLocaleString("en")));
    };
    return section("In all of it", `${tracks.toLocaleString("en")} tracks, ${clock(this.about.seconds)} of sound. How many each instrument plays in:`, h("div", { class: "stats" }, instruments.map(row)));
  }
}

// plays one stretch of one track at a time
class Snippets {
  constructor() {
    this.media = new Audio();
    this.media.preload = "none";
    this.button = h("button", { class: "play", type: "button", onclick: () => this.toggle() });
    this.words = h("p");
    this.node = h("div", { class: "now", hidden: true }, this.button, this.words);
    for (const event of ["play", "pause", "ended"]) this.media.addEventListener(event, () => this.#draw());
    this.media.addEventListener("error", () => this.media.getAttribute("src") && (this.words.textContent = "This browser can't play this format, or the file is not there any more."));
    this.#draw();
  }

  async play(track, strand, start, end, mark) {
    this.mark?.classList.remove("playing");
    this.mark = mark;
    mark.classList.add("playing");
    this.node.hidden = false;
    this.words.replaceChildren(h("strong", {}, track.title), ` · ${strand.label}, ${span(start, end)}`);
    const source = `/api/tracks/${track.id}/audio`;
    if (this.media.getAttribute("src") !== source) this.media.src = source;
    this.media.currentTime = start;
    await this.media.play().catch(() => {});
  }

  toggle() {
    if (!this.media.getAttribute("src")) return;
    if (this.media.paused) this.media.play().catch(() => {});
    else this.media.pause();
  }

  stop() {
    this.media.pause();
    this.media.removeAttribute("src");
    this.mark?.classList.remove("playing");
    this.node.hidden = true;
  }

  #draw() {
    const playing = !this.media.paused && !this.media.ended;
    this.button.innerHTML = playing ? PAUSE : PLAY;
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }
}

// one track of the library, as large as an upload
export function trackPage(id, health) {
  const back = h("a", { class: "back", href: "#/library", onclick: (event) => history.length > 1 && (event.preventDefault(), history.back()) }, "← Library");
  const node = h("div", {}, back);
  const page = { node, recording: null, toggle: () => page.recording?.toggle(), leave: () => page.recording?.destroy() };
  get(`/api/tracks/${id}`)
    .then((track) => {
      const facts = [track.artist, track.album, track.file].filter(Boolean).join(" · ");
      page.recording = new Recording({ base: `/api/tracks/${id}`, source: track.there ? { url: `/api/tracks/${id}/audio` } : null, health, name: track.title, more: h("p", { class: "key" }, facts) });
      node.append(page.recording.node);
    })
    .catch((error) => node.append(notice("This track can't be shown.", error.message)));
  return page;
}
