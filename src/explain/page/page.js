"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Copy a command.
  async function copy(button) {
    const text = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }

  // Show one step only, and the rows that contain a text.
  function filter() {
    const step = document.getElementById("step")?.value ?? "";
    for (const part of all("[data-step]")) part.hidden = step !== "" && part.dataset.step !== step;
    const wanted = document.getElementById("search")?.value.toLowerCase() ?? "";
    const matches = (row) => row.textContent.toLowerCase().includes(wanted);
    for (const row of all(".searched tbody tr")) row.hidden = !matches(row);
    for (const cause of all(".cause")) cause.hidden ||= !matches(cause);
  }

  // Sort a table by a column.
  function sort(heading, order) {
    const table = heading.closest("table");
    const at = [...heading.parentElement.children].indexOf(heading);
    for (const other of all("th", table)) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const key = (row) => row.children[at].dataset.value ?? row.children[at].textContent;
    const number = heading.dataset.sort === "number";
    const rows = all("tbody tr", table).sort((a, b) =>
      number ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b)));
    if (order === "descending") rows.reverse();
    if (rows.some((row, at) => row !== table.tBodies[0].rows[at])) table.tBodies[0].append(...rows);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches("[data-copy]")) copy(button);
    const heading = button?.closest("th[data-sort]");
    if (heading) sort(heading, heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "step") return;
    filter();
    draw();
  });
  document.addEventListener("input", (event) => { if (event.target.id === "search") filter(); });

  // Time lines.
  const seconds = (time) => time >= 60 ? `${Math.floor(time / 60)} min ${(time % 60).toFixed(1)} s`
    : time >= 1 ? `${time.toFixed(2)} s` : time >= 0.001 ? `${(time * 1000).toFixed(1)} ms` : `${(time * 1e6).toFixed(0)} µs`;
  const views = new Map();

  class View {
    constructor(canvas) {
      Object.assign(this, { canvas, from: 0, to: 0, whole: true });
      this.tip = canvas.parentElement.querySelector(".tip");
      canvas.addEventListener("keydown", (event) => this.key(event));
      canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.shiftKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.time(event));
      }, { passive: false });
      canvas.addEventListener("pointerdown", (event) => {
        this.drag = { x: event.clientX, from: this.from, to: this.to };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointerup", () => { this.drag = null; });
      canvas.addEventListener("pointermove", (event) => {
        if (this.drag) {
          const by = (this.drag.x - event.clientX) / canvas.clientWidth * (this.drag.to - this.drag.from);
          this.show(this.drag.from + by, this.drag.to + by);
        } else {
          this.tell(event);
        }
      });
      for (const button of all("[data-do]", canvas.parentElement)) {
        button.addEventListener("click", () => this.do(button.dataset.do));
      }
    }

    // Shows these data, from the place that was shown before.
    take(text) {
      if (text === this.text) return;
      const line = JSON.parse(text);
      Object.assign(this, { text, line });
      this.row = Math.max(3, Math.min(22, Math.floor(400 / Math.max(1, line.slots))));
      if (this.whole) this.to = line.length || 1e-6;
      if (line.exact) {
        let start = 0;
        this.start = line.frames.start.map((step) => (start += step) / 1e4);
        this.took = line.frames.took.map((took) => took / 1e4);
        this.longest = this.took.reduce((most, took) => Math.max(most, took), 0);
      }
      this.draw();
    }

    time(event) {
      return this.from + event.offsetX / this.canvas.clientWidth * (this.to - this.from);
    }

    show(from, to) {
      const width = Math.min(Math.max(to - from, this.line.length / 1e5, 1e-5), this.line.length);
      this.from = Math.min(Math.max(0, from), this.line.length - width);
      this.to = this.from + width;
      this.whole = width >= this.line.length;
      this.draw();
    }

    zoom(by, at = (this.from + this.to) / 2) {
      this.show(at - (at - this.from) * by, at + (this.to - at) * by);
    }

    do(what) {
      const width = this.to - this.from;
      if (what === "in") this.zoom(0.5);
      if (what === "out") this.zoom(2);
      if (what === "left") this.show(this.from - width / 4, this.to - width / 4);
      if (what === "right") this.show(this.from + width / 4, this.to + width / 4);
      if (what === "all") this.show(0, this.line.length);
    }

    key(event) {
      const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "all", "0": "all" };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.do(keys[event.key]);
    }

    // Frames begin in order, so those before a time are found at once.
    first(time) {
      let [low, high] = [0, this.start.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.start[middle] < time) low = middle + 1; else high = middle;
      }
      return low;
    }

    draw() {
      const { canvas, line, row } = this;
      const ratio = devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, line.slots * row + 20];
      if (width === 0) return;
      canvas.style.height = `${height}px`;
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      const colours = { ok: style("--ok"), failed: style("--bad"), retried: style("--retry"), dim: style("--dim"), line: style("--line") };
      const x = (time) => (time - this.from) / (this.to - this.from) * width;
      for (let slot = 0; slot <= line.slots; slot++) {
        pen.fillStyle = colours.line;
        pen.fillRect(0, slot * row, width, 0.5);
      }
      if (line.exact) this.blocks(pen, x, colours); else this.bins(pen, x, colours);
      pen.fillStyle = colours.dim;
      pen.font = "11px system-ui, sans-serif";
      const ticks = Math.max(2, Math.floor(width / 130));
      for (let tick = 0; tick <= ticks; tick++) {
        const time = this.from + (this.to - this.from) * tick / ticks;
        pen.textAlign = tick === 0 ? "left" : tick === ticks ? "right" : "center";
        pen.fillText(seconds(time), x(time), height - 5);
      }
    }

    blocks(pen, x, colours) {
      const { frames } = this.line;
      const gap = this.row > 6 ? 1.5 : 0.5;
      for (let at = this.first(this.from - this.longest); at < this.start.length && this.start[at] < this.to; at++) {
        const left = x(this.start[at]);
        const wide = Math.max(0.6, x(this.start[at] + this.took[at]) - left - (this.row > 6 ? 0.5 : 0));
        const top = frames.slot[at] * this.row + gap;
        const state = frames.failed[at] ? "failed" : frames.retried[at] ? "retried" : "ok";
        pen.fillStyle = colours[state];
        pen.fillRect(left, top, wide, this.row - gap);
        if (state !== "ok" && this.row > 8) {
          // A mark as well as a colour: failed at the top, retried at the bottom.
          pen.fillStyle = style("--ink");
          pen.fillRect(left, state === "failed" ? top : top + this.row - gap - 3, Math.max(wide, 2), 3);
        }
      }
    }

    bins(pen, x, colours) {
      const { bins } = this.line;
      pen.fillStyle = colours.ok;
      bins.busy.forEach((busy, slot) => busy.forEach((percent, at) => {
        const [left, right] = [x(bins.at[at] - bins.took[at]), x(bins.at[at])];
        const high = (this.row - 1) * Math.min(100, percent) / 100;
        pen.fillRect(left, (slot + 1) * this.row - high, Math.max(0.6, right - left), high);
      }));
    }

    tell(event) {
      const slot = Math.floor(event.offsetY / this.row);
      const time = this.time(event);
      if (slot >= this.line.slots) return;
      if (!this.line.exact) {
        const at = this.line.bins.at.findIndex((end) => end >= time);
        if (at >= 0) this.tip.textContent = `slot ${slot}, ${seconds(time)}: busy ${this.line.bins.busy[slot][at]}% of the time`;
        return;
      }
      const { frames } = this.line;
      const blur = (this.to - this.from) / this.canvas.clientWidth;
      for (let at = this.first(this.from - this.longest); at < this.start.length && this.start[at] <= time + blur; at++) {
        if (frames.slot[at] !== slot || this.start[at] + this.took[at] + blur < time) continue;
        const last = frames.batch[at] + Math.max(1, frames.batches[at]) - 1;
        const name = frames.batches[at] > 1 ? `batches ${frames.batch[at]} to ${last}` : `batch ${frames.batch[at]}`;
        const parts = [`${frames.ok[at]} succeeded`];
        if (frames.failed[at]) parts.push(`${frames.failed[at]} failed`);
        if (frames.retried[at]) parts.push(`${frames.retried[at]} to be tried again`);
        this.tip.textContent = `slot ${slot}, ${name}: from ${seconds(this.start[at])}, took ${seconds(this.took[at])}; ${parts.join(", ")}`;
        return;
      }
      this.tip.textContent = `slot ${slot}, ${seconds(time)}: nothing`;
    }
  }

  function draw() { for (const view of views.values()) view.draw(); }

  // Makes everything in an element work. Does no harm if it works already.
  function setUp(root) {
    for (const heading of all("th[data-sort]", root)) {
      if (!heading.querySelector("button")) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = heading.textContent;
        heading.replaceChildren(button);
      }
      if (heading.hasAttribute("aria-sort")) sort(heading, heading.getAttribute("aria-sort"));
    }
    for (const canvas of all("canvas", root)) {
      if (!views.has(canvas)) views.set(canvas, new View(canvas));
      views.get(canvas).take(canvas.parentElement.querySelector("script").textContent);
    }
    for (const canvas of views.keys()) if (!canvas.isConnected) views.delete(canvas);
    filter();
  }

  setUp(document);
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.batchmill = { setUp };
})();
