// The timeline: a lane for each family and instrument below the waveform, and what points into it.

import { clock, h, marked, percent, span, ticks, told, walk } from "./dom.js";

const SHOWN = 0.1; // rows below this that are neither heard nor unsure are folded away

export class Lanes {
  // view: of /view; player: what plays and tells the time; onLook(time or null, family): the cursor moved
  constructor(view, player, onLook) {
    Object.assign(this, { view, player, onLook });
    this.end = view.ends.at(-1) ?? view.seconds;
    this.rows = [];
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    this.head = h("div", { class: "head" });
    this.cursor = h("div", { class: "cursor", hidden: true });
    this.bubble = h("div", { class: "bubble", hidden: true });
    this.body = h("div");
    this.rest = h("div", { hidden: true });
    this.stage = h(
      "div",
      { class: "sound" },
      player.node,
      h("div", { class: "line" }, h("span"), this.axis),
      this.body,
      this.rest,
      h("div", { class: "over" }, this.cursor, this.head),
      this.bubble,
    );
    this.node = h("div", { role: "group", "aria-label": "Timeline" }, this.stage);
    this.#fill();
    player.listeners.add((time) => this.#play(time));
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.node);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
  }

  #fill() {
    const worth = (score) => score.answer !== "not heard" || score.probability >= SHOWN;
    let folded = 0;
    for (const branch of walk(this.view.tree)) {
      const [first, rest] = [branch.tags.filter(worth), branch.tags.filter((tag) => !worth(tag))];
      if (first.length) this.body.append(this.#family(branch, first));
      if (rest.length) this.rest.append(this.#family(branch, rest));
      folded += rest.length;
    }
    if (!this.body.children.length) this.body.append(h("p", { class: "key" }, `No instrument reaches ${percent(SHOWN)}.`));
    if (folded) this.stage.after(this.#more(folded));
    if (this.rows.length) this.rows[0].lane.tabIndex = 0;
  }

  #more(count) {
    const words = (open) => `${open ? "Hide" : "Show"} ${count} more below ${percent(SHOWN)}`;
    const button = h("button", { class: "quiet more", type: "button", "aria-expanded": "false" }, words(false));
    button.addEventListener("click", () => {
      this.rest.hidden = !this.rest.hidden;
      button.setAttribute("aria-expanded", String(!this.rest.hidden));
      button.textContent = words(!this.rest.hidden);
      this.draw();
    });
    return button;
  }

  #family(branch, tags) {
    const above = branch.path.map((each) => each.label).join(" › ");
    return h(
      "div",
      { class: "family", role: "group", "aria-label": above ? `${above} › ${branch.label}` : branch.label },
      this.#row(branch, branch.id, "of-group", above),
      tags.map((tag) => this.#row(tag, branch.id, "of-tag")),
    );
  }

  #row(score, family, kind, above = "") {
    const lane = h("div", {
      class: `lane ${kind}`,
      role: "slider",
      tabindex: "-1",
      "aria-label": `${score.label}, ${score.answer}, ${percent(score.probability)}`,
      "aria-valuemin": "0",
      "aria-valuemax": this.end.toFixed(1),
    }, h("canvas"));
    const row = { score, family, lane, values: this.view.lanes[score.id] };
    this.#say(row, 0);
    lane.addEventListener("pointermove", (event) => this.#point(row, this.#time(lane, event)));
    lane.addEventListener("pointerleave", () => this.#leave());
    lane.addEventListener("click", (event) => {
      this.#focus(row);
      this.player.playFrom(this.view.starts[this.#cell(this.#time(lane, event))] ?? 0);
    });
    lane.addEventListener("keydown", (event) => this.#key(row, event));
    lane.addEventListener("focus", () => this.#roam(row));
    this.rows.push(row);
    return h(
      "div",
      { class: `line ${told(score)}` },
      h("div", { class: `lane-name ${kind}` }, marked(score), above ? h("span", { class: "said" }, above) : null,
        h("span", { class: "percent" }, percent(score.probability))),
      lane,
    );
  }

  #time(lane, event) {
    const box = lane.getBoundingClientRect();
    return (this.end * (event.clientX - box.left)) / box.width;
  }

  #cell(time) {
    const place = this.view.starts.findLastIndex((start) => start <= time);
    return Math.max(0, place);
  }

  #say(row, cell) {
    const { starts, ends } = this.view;
    const words = `${span(starts[cell] ?? 0, ends[cell] ?? 0)}, ${row.values[cell] ?? 0}%`;
    row.lane.setAttribute("aria-valuenow", (starts[cell] ?? 0).toFixed(1));
    row.lane.setAttribute("aria-valuetext", words);
    return words;
  }

  #point(row, time) {
    const words = this.#say(row, this.#cell(time));
    this.cursor.hidden = this.bubble.hidden = false;
    this.cursor.style.left = `${(100 * Math.min(Math.max(time, 0), this.end)) / this.end}%`;
    this.bubble.textContent = `${row.score.label} · ${words}`;
    const [lane, all] = [row.lane.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    const middle = lane.left - all.left + (lane.width * time) / this.end - this.bubble.offsetWidth / 2;
    this.bubble.style.left = `${Math.min(Math.max(0, middle), all.width - this.bubble.offsetWidth)}px`;
    this.bubble.style.top = `${lane.top - all.top - this.bubble.offsetHeight - 4}px`;
    this.onLook(time, row.family);
  }

  #leave() {
    this.cursor.hidden = this.bubble.hidden = true;
    this.onLook(null);
  }

  #focus(row) {
    this.#roam(row);
    row.lane.focus({ preventScroll: true });
  }

  #roam(row) {
    for (const each of this.rows) each.lane.tabIndex = each === row ? 0 : -1;
  }

  #key(row, event) {
    const visible = this.rows.filter((each) => each.lane.offsetParent);
    const [here, cell] = [visible.indexOf(row), this.#cell(this.player.time)];
    const [last, page] = [this.view.starts.length - 1, Math.max(1, Math.round(this.view.starts.length / 10))];
    const moves = { ArrowLeft: cell - 1, ArrowRight: cell + 1, PageDown: cell - page, PageUp: cell + page, Home: 0, End: last };
    if (event.key in moves) {
      const to = this.view.starts[Math.min(Math.max(0, moves[event.key]), last)] ?? 0;
      this.player.seek(to);
      this.#point(row, to);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = visible[here + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) {
        this.#say(next, cell);
        this.#focus(next);
      }
    } else if (event.key === "Enter") {
      this.player.playFrom(this.view.starts[cell] ?? 0);
    } else if (event.key === " ") {
      this.player.toggle();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #play(time) {
    this.head.style.left = `${(100 * Math.min(time, this.end)) / this.end}%`;
    if (this.cursor.hidden) this.onLook(time > 0 || this.player.playing ? time : null);
  }

  draw() {
    const style = getComputedStyle(document.documentElement);
    const heat = style.getPropertyValue("--heat").trim();
    const hatched = style.getPropertyValue("--hatched").trim(); // lines need to be brighter
    for (const row of this.rows) if (row.lane.offsetParent) paint(row, this.view, this.end, heat, hatched);
    const most = Math.max(2, Math.min(8, Math.floor(this.axis.clientWidth / 70)));
    this.axis.replaceChildren(
      ...ticks(this.end, most).map((moment) => {
        const mark = h("span", {}, clock(moment));
        mark.style.left = `${(100 * moment) / this.end}%`;
        return mark;
      }),
    );
  }

  destroy() {
    this.resize.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
  }
}

function paint({ lane, values, score }, { starts, ends }, end, heat, hatched) {
  const canvas = lane.firstChild;
  const scale = devicePixelRatio || 1;
  const [width, height] = [Math.round(lane.clientWidth * scale), Math.round(lane.clientHeight * scale)];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = score.answer === "unsure" ? hatch(context, hatched, scale) : heat;
  for (let cell = 0; cell < starts.length; cell++) {
    const [from, to] = [(width * starts[cell]) / end, (width * ends[cell]) / end];
    context.globalAlpha = values[cell] / 100;
    // whole pixels, or faint seams show between the cells
    context.fillRect(Math.round(from), 0, Math.max(1, Math.round(to) - Math.round(from)), height);
  }
}

// slanting lines: unsure is seen without colour, too
function hatch(context, colour, scale) {
  const size = Math.round(7 * scale);
  const tile = document.createElement("canvas");
  Object.assign(tile, { width: size, height: size });
  const pen = tile.getContext("2d");
  Object.assign(pen, { strokeStyle: colour, lineWidth: 2.2 * scale });
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
