// Making elements, and the words and numbers that all parts of the page share.

export function h(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) node.style.setProperty(key, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

// 0:28, 3:05, 1:00:00
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// 2 h, 1.5 h, 30 min, 45 s
export function long(seconds) {
  const [number, unit] = seconds >= 3600 ? [seconds / 3600, "h"] : seconds >= 60 ? [seconds / 60, "min"] : [seconds, "s"];
  return `${Number(number.toPrecision(3))} ${unit}`;
}

export function span(start, end) {
  return `${clock(start)}–${clock(end)}`;
}

export function bytes(size) {
  const [number, unit] = size >= 2 ** 30 ? [size / 2 ** 30, "GB"] : [size / 2 ** 20, "MB"];
  return `${Number(number.toPrecision(3))} ${unit}`;
}

export function plain(name) {
  return name.replaceAll("_", " ");
}

export const MARKS = { heard: "●", unsure: "◐", "not heard": "○" };

// the class of a row: the three answers are told apart by more than colour
export function told(score) {
  return score.answer === "not heard" ? "unheard" : score.answer;
}

export function marked(score) {
  return [
    h("span", { class: "mark", "aria-hidden": "true" }, MARKS[score.answer]),
    h("span", { class: "name" }, score.label, h("span", { class: "said" }, `, ${score.answer}`)),
  ];
}

// all branches of a tree, from its roots down
export function walk(branches, path = []) {
  return branches.flatMap((branch) => [
    { ...branch, path },
    ...walk(branch.branches, [...path, branch]),
  ]);
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

// round moments for a time axis, at most so many
export function ticks(end, most) {
  const step = STEPS.find((each) => end / each <= most) ?? STEPS.at(-1);
  return Array.from({ length: Math.max(1, Math.ceil(end / step)) }, (_, place) => place * step);
}
