"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9", "#444444", "#e69f00", "#5d3a9b"];
const color = (a) => COLORS[a % COLORS.length];
const dash = (a) => [[], [6, 3], [2, 3]][Math.floor(a / COLORS.length) % 3];
const short = (x, digits = 4) => x === null || x === undefined ? "\u2013" : Number(x.toPrecision(digits)).toString().replace("-", "\u2212");
let episode = 0, step = 0, timer = null, wanted = 0;

// -- packed data ------------------------------------------------------------------------------------------------------
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
async function inflate(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
class Series {  // pictures in chunks: each is XORed with the one before; the last few chunks are kept unpacked
  constructor(packed) { Object.assign(this, packed); this.kept = new Map(); }
  chunk(number) {
    if (!this.kept.has(number)) {
      if (this.kept.size >= 4) this.kept.delete(this.kept.keys().next().value);
      this.kept.set(number, this.unpack(this.chunks[number]));
    }
    return this.kept.get(number);
  }
  async unpack({ palette, data }) {
    const pixels = await inflate(data), size = this.height * this.width * (palette ? 1 : 3);
    for (let i = size; i < pixels.length; i++) pixels[i] ^= pixels[i - size];
    return { pixels, size, palette: palette && bytes(palette) };
  }
  async show(canvas, index) {
    const { pixels, size, palette } = await this.chunk(Math.floor(index / this.per_chunk));
    const start = (index % this.per_chunk) * size, image = new ImageData(this.width, this.height);
    for (let i = 0; i < this.width * this.height; i++) {
      const from = palette ? palette : pixels, at = palette ? 3 * pixels[start + i] : start + 3 * i;
      image.data.set([from[at], from[at + 1], from[at + 2], 255], 4 * i);
    }
    return () => { canvas.width = this.width; canvas.height = this.height; canvas.getContext("2d").putImageData(image, 0, 0); };
  }
}
const screens = D.screens && new Series(D.screens), panels = D.panels && new Series(D.panels);
let levels = null;  // of the distributions, Uint16 [moments, actions, numbers]
const dist = (moment, a, n) => {
  const d = D.distribution, level = levels[(moment * D.actions.length + a) * d.number + n];
  return d.low + (d.high - d.low) * level / 65535;
};

// -- ranges -----------------------------------------------------------------------------------------------------------
const range = (numbers) => {
  let low = Infinity, high = -Infinity;
  for (const x of numbers) if (x !== null && x !== undefined) { low = Math.min(low, x); high = Math.max(high, x); }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
};
const qRange = range(D.q.flatMap((row) => row ?? []));
const returns = !D.distribution ? [Math.min(0, qRange[0]), Math.max(0, qRange[1])]
  : D.distribution.support ?? [D.distribution.low, D.distribution.high];
const moment = () => D.episodes[episode].first + step;

// -- plots over time --------------------------------------------------------------------------------------------------
const LEFT = 52;
function shown() {  // first and last step of the window
  const all = D.episodes[episode].moments, most = Number($("window").value) || all;
  const first = Math.max(0, Math.min(step - Math.floor(most / 2), all - most));
  return [first, Math.min(all, first + most) - 1];
}
function plot(canvas, [low, high], draw) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = Number(canvas.dataset.height ??= canvas.getAttribute("height"));
  canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); canvas.style.height = height + "px";
  const g = canvas.getContext("2d"), [first, last] = shown();
  g.scale(scale, scale); g.font = "11px system-ui, sans-serif";
  const x = (s) => LEFT + (width - LEFT - 6) * (s - first) / Math.max(1, last - first);
  const y = (v) => 8 + (height - 26) * (high - v) / (high - low);
  g.fillStyle = "#595959"; g.strokeStyle = "#e3e3e3"; g.textAlign = "right"; g.textBaseline = "middle";
  const apart = low < 0 && high > 0 && Math.min(y(0) - y(high), y(low) - y(0)) > 12;
  for (const v of [low, ...(apart ? [0] : []), high]) {
    g.fillText(short(v, 3), LEFT - 5, y(v)); g.beginPath(); g.moveTo(LEFT, y(v)); g.lineTo(width - 6, y(v)); g.stroke();
  }
  g.textBaseline = "alphabetic"; g.textAlign = "left"; g.fillText("step " + first, LEFT, height - 3);
  g.textAlign = "right"; g.fillText(String(last), width - 6, height - 3);
  draw(g, x, y, first, last, D.episodes[episode].first);
  g.setLineDash([]); g.strokeStyle = "#111"; g.lineWidth = 1; g.beginPath(); g.moveTo(x(step), 4); g.lineTo(x(step), height - 16); g.stroke();
}
function line(g, x, y, first, last, value, style, pattern = [], width = 1.4) {
  g.strokeStyle = style; g.lineWidth = width; g.setLineDash(pattern); g.beginPath();
  let open = false;
  for (let s = first; s <= last; s++) {
    const v = value(s);
    if (v === null || v === undefined) { open = false; continue; }
    if (open) g.lineTo(x(s), y(v)); else g.moveTo(x(s), y(v));
    open = true;
  }
  g.stroke();
}
function mark(g, px, py, random, fill) {
  g.setLineDash([]);
  if (!random) { g.fillStyle = fill; g.beginPath(); g.arc(px, py, 2.4, 0, 7); g.fill(); return; }
  g.fillStyle = "#fff"; g.strokeStyle = "#c4320a"; g.lineWidth = 1.6; g.beginPath();
  g.moveTo(px, py - 5); g.lineTo(px + 5, py); g.lineTo(px, py + 5); g.lineTo(px - 5, py); g.closePath(); g.fill(); g.stroke();
}
function drawTime() {
  plot($("plot-q"), qRange, (g, x, y, first, last, base) => {
    D.actions.forEach((_, a) => line(g, x, y, first, last, (s) => D.q[base + s]?.[a], color(a), dash(a)));
    for (let s = first; s <= last; s++) {
      const a = D.action[base + s];
      if (a !== null && D.q[base + s]) mark(g, x(s), y(D.q[base + s][a]), D.random[base + s], color(a));
    }
  });
  plot($("plot-reward"), range([0, ...D.reward]), (g, x, y, first, last, base) => {
    g.strokeStyle = "#00664a"; g.lineWidth = 2;
    for (let s = first; s <= last; s++) {
      const r = D.reward[base + s];
      if (r) { g.beginPath(); g.moveTo(x(s), y(0)); g.lineTo(x(s), y(r)); g.stroke(); }
    }
  });
  plot($("plot-td"), range([0, ...D.td]), (g, x, y, first, last, base) => line(g, x, y, first, last, (s) => D.td[base + s], "#a33b00"));
  if (D.vector) plot($("plot-vector"), range(D.vector.flat()), (g, x, y, first, last, base) =>
    D.vector[0].forEach((_, i) => line(g, x, y, first, last, (s) => D.vector[base + s][i], color(i), dash(i))));
  if (levels) drawDistribution();
}
function drawDistribution() {
  const { kind, number, support } = D.distribution, chosen = Number($("which").value);
  plot($("plot-distribution"), returns, (g, x, y, first, last, base) => {
    const action = (s) => chosen >= 0 ? chosen : D.action[base + s] ?? 0, wide = Math.max(1, x(first + 1) - x(first));
    const there = (s) => D.q[base + s] !== null;
    if (kind === "atoms") {
      const gap = (support[1] - support[0]) / (number - 1), tall = Math.max(1, Math.abs(y(gap) - y(0)));
      for (let s = first; s <= last; s++) if (there(s)) for (let n = 0; n < number; n++) {
        const p = dist(base + s, action(s), n);
        if (p < 0.004) continue;
        const share = Math.min(1, 0.15 + 2.5 * p), tone = (full) => Math.round(255 + (full - 255) * share);
        const left = Math.floor(x(s) - wide / 2), top = Math.floor(y(support[0] + n * gap) - tall / 2);
        g.fillStyle = `rgb(${tone(0)}, ${tone(85)}, ${tone(138)})`;
        g.fillRect(left, top, Math.floor(x(s) + wide / 2) - left + 1, Math.floor(top + tall) - top + 1);
      }
    } else {
      for (const [share, style] of [[0.05, "#d3e3ee"], [0.25, "#8fb7d1"]]) {
        const low = Math.floor(share * number), high = number - 1 - low;
        g.fillStyle = style;
        for (let s = first; s <= last; s++) if (there(s)) {
          const top = y(dist(base + s, action(s), high)), bottom = y(dist(base + s, action(s), low));
          g.fillRect(x(s) - wide / 2, top, wide + 0.5, Math.max(1, bottom - top));
        }
      }
    }
    line(g, x, y, first, last, (s) => D.q[base + s]?.[action(s)], "#111");
  });
}

// -- the present moment -----------------------------------------------------------------------------------------------
const rows = D.actions.map((name, a) => {
  const row = document.createElement("div");
  row.className = "action";
  row.innerHTML = '<span class="swatch"></span><span class="name"></span><span class="value"></span><canvas></canvas><span class="mark"></span>';
  row.querySelector(".swatch").style.background = color(a);
  row.querySelector(".name").textContent = name;
  $("actions").append(row);
  return row;
});
function drawActions() {
  const m = moment(), q = D.q[m], best = q && Math.max(...q);
  rows.forEach((row, a) => {
    const chosen = D.action[m] === a, canvas = row.querySelector("canvas"), scale = window.devicePixelRatio || 1;
    row.classList.toggle("chosen", chosen);
    row.classList.toggle("illegal", Boolean(D.legal?.[m]) && !D.legal[m][a]);
    row.querySelector(".value").textContent = q ? short(q[a]) : "\u2013";
    row.querySelector(".mark").textContent = chosen ? (D.random[m] ? "random" : "taken") : D.legal?.[m] && !D.legal[m][a] ? "illegal" : q && q[a] === best ? "best" : "";
    const width = canvas.clientWidth, height = canvas.clientHeight, g = canvas.getContext("2d");
    canvas.width = width * scale; canvas.height = height * scale; g.scale(scale, scale);
    const x = (v) => 2 + (width - 4) * (v - returns[0]) / (returns[1] - returns[0]);
    g.fillStyle = "#f5f6f8"; g.fillRect(0, 0, width, height);
    if (!q) return;
    g.fillStyle = color(a);
    if (!D.distribution) g.fillRect(Math.min(x(0), x(q[a])), 4, Math.max(1, Math.abs(x(q[a]) - x(0))), height - 8);
    else if (levels) for (let n = 0; n < D.distribution.number; n++) {
      const value = dist(m, a, n), { number, support } = D.distribution;
      if (support) {
        const bar = Math.max(1, (width - 4) / number - 0.5);
        g.fillRect(x(support[0] + n * (support[1] - support[0]) / (number - 1)) - bar / 2, height * (1 - Math.sqrt(value)), bar, height * Math.sqrt(value));
      } else { g.globalAlpha = 0.55; g.fillRect(x(value) - 0.75, 4, 1.5, height - 8); g.globalAlpha = 1; }
    }
    g.fillStyle = "#111"; g.fillRect(x(q[a]) - 1, 0, 2, height);
  });
}
function drawVector() {
  const values = D.vector[moment()];
  vectorCells.forEach(([number, bar], i) => {  // 0 in the middle, the largest of all episodes at an end
    const share = 50 * values[i] / vectorLargest[i];
    number.textContent = short(values[i]);
    bar.style.left = Math.min(50, 50 + share) + "%"; bar.style.width = Math.abs(share) + "%";
  });
}
const vectorLargest = D.vector?.[0].map((_, i) => D.vector.reduce((most, v) => Math.max(most, Math.abs(v[i])), 1e-9)), vectorCells = [];
const panelCanvases = D.panel ? D.labels.map((label) => {
  const cell = document.createElement("div"), canvas = document.createElement("canvas"), words = document.createElement("span");
  words.textContent = label; cell.append(canvas, words); $("seen").append(cell);
  return canvas;
}) : [];
if (D.vector) {
  const box = document.createElement("div");
  box.className = "vector";
  D.vector[0].forEach((_, i) => {
    const name = document.createElement("span"), number = document.createElement("b"), bar = document.createElement("div");
    name.textContent = "number " + (i + 1); name.style.color = color(i); bar.className = "bar"; bar.append(document.createElement("i"));
    box.append(name, number, bar); vectorCells.push([number, bar.firstChild]);
  });
  $("seen").append(box); $("vector-part").hidden = false;
}
async function drawPictures() {
  const mine = ++wanted, m = moment(), waiting = [];
  if (screens && D.screen?.[m] !== null && D.screen) waiting.push(screens.show($("screen"), D.screen[m]));
  if (panels) D.panel[m].forEach((index, i) => waiting.push(panels.show(panelCanvases[i], index)));
  const ready = await Promise.all(waiting);
  if (mine === wanted) ready.forEach((put) => put());
}
function draw() {
  const e = D.episodes[episode], m = moment(), last = e.moments - 1, ending = step < last ? "" :
    { terminated: "; the episode is over", truncated: "; the episode was truncated", cut: "; cut here, the episode goes on" }[e.ending];
  $("slider").max = last; $("slider").value = step; $("episode").value = episode;
  $("slider").setAttribute("aria-valuetext", `step ${step} of ${last}`);
  $("now").textContent = `Step ${step} of ${last}. Return so far ${short(D.score[m])} of ${short(e.return)}. ` +
    (D.action[m] === null ? "No action" : `${D.random[m] ? "Random action" : "Action"} ${D.actions[D.action[m]]}, reward ${short(D.reward[m])}, TD error ${short(D.td[m])}`) + ending + ".";
  if (D.vector) drawVector();
  drawActions(); drawTime(); drawPictures();
}

// -- going through it -------------------------------------------------------------------------------------------------
function go(to) { step = Math.max(0, Math.min(D.episodes[episode].moments - 1, to)); draw(); }
function choose(number) { episode = Math.max(0, Math.min(D.episodes.length - 1, number)); step = 0; draw(); }
function pause() { clearTimeout(timer); timer = null; $("play").textContent = "Play"; }
function tick() {
  if (step >= D.episodes[episode].moments - 1) return pause();
  go(step + 1); timer = setTimeout(tick, 1000 / Number($("speed").value));
}
function play() {
  if (timer) return pause();
  if (step >= D.episodes[episode].moments - 1) go(0);
  $("play").textContent = "Pause"; timer = setTimeout(tick, 0);
}
D.episodes.forEach((e, i) => $("episode").add(new Option(`${i + 1}: return ${short(e.return)}`, i)));
$("which").add(new Option("the action taken", -1)); D.actions.forEach((name, a) => $("which").add(new Option(name, a)));
$("episode").addEventListener("change", () => { pause(); choose(Number($("episode").value)); });
$("slider").addEventListener("input", () => { pause(); go(Number($("slider").value)); });
$("back").addEventListener("click", () => { pause(); go(step - 1); });
$("forth").addEventListener("click", () => { pause(); go(step + 1); });
$("play").addEventListener("click", play);
for (const id of ["window", "which"]) $(id).addEventListener("change", drawTime);
document.querySelectorAll(".plot").forEach((canvas) => canvas.addEventListener("click", (event) => {
  const [first, last] = shown(), width = canvas.clientWidth - LEFT - 6, box = canvas.getBoundingClientRect();
  pause(); go(Math.round(first + (last - first) * (event.clientX - box.left - LEFT) / width));
}));
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT" || event.ctrlKey || event.altKey || event.metaKey) return;
  const many = event.shiftKey ? 10 : 1, keys = {
    ArrowLeft: () => go(step - many), ArrowRight: () => go(step + many), Home: () => go(0), End: () => go(Infinity),
    PageUp: () => choose(episode - 1), PageDown: () => choose(episode + 1), " ": null,
  };
  if (!(event.key in keys)) return;
  if (event.key === " ") { if (event.target.tagName === "BUTTON") return; event.preventDefault(); return play(); }
  event.preventDefault(); pause(); keys[event.key]();
});
new ResizeObserver(draw).observe(document.body);
$("screen-figure").hidden = !D.screen && !document.querySelector("#screen-figure p"); $("screen").hidden = !D.screen;
$("seen-figure").hidden = !D.panel && !D.vector;
if (!window.DecompressionStream) $("trouble").hidden = false;
else if (D.distribution) inflate(D.distribution.data).then((raw) => {
  levels = new Uint16Array(raw.buffer); $("distribution-part").hidden = false; draw();
});
draw();
