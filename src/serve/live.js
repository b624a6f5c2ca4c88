"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const base = location.pathname;

  // Makes an element what `to` is, and leaves alone what the reader has done: focus, open details, sorting, zoom.
  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeName === "svg") {
      from.replaceWith(to);
      return;
    }
    const own = from.matches("canvas") ? ["width", "height", "style"] : ["open", "hidden", "aria-sort"];
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !own.includes(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !own.includes(name)) from.setAttribute(name, value);
    }
    if (from.matches("th[data-sort], .tip, [data-copy]")) return;
    const [old, fresh] = [[...from.childNodes], [...to.childNodes]];
    fresh.forEach((node, at) => {
      const there = old[at];
      if (!there) from.append(node);
      else if (there.nodeName !== node.nodeName) there.replaceWith(node);
      else if (node.nodeType === Node.ELEMENT_NODE) morph(there, node);
      else if (there.data !== node.data) there.data = node.data;
    });
    for (const node of old.slice(fresh.length)) node.remove();
  }

  function parts({ title, keys, changed }) {
    document.title = title;
    const find = (key) => document.querySelector(`[data-part="${CSS.escape(key)}"]`);
    for (const { key, html } of changed) {
      // Scripts in a template do not run; nor does the policy of the page let them.
      const template = document.createElement("template");
      template.innerHTML = html;
      const fresh = document.createElement("div");
      fresh.dataset.part = key;
      fresh.append("\n", template.content, "\n");
      fresh.normalize();
      const there = find(key);
      if (there) morph(there, fresh);
      else get("parts").append(fresh);
      batchmill.setUp(find(key));
    }
    const own = keys.filter((key) => find(key)?.parentElement === get("parts"));
    for (const part of [...get("parts").children]) if (!own.includes(part.dataset.part)) part.remove();
    own.forEach((key, at) => {
      const there = get("parts").children[at];
      if (there.dataset.part !== key) there.before(find(key));
    });
  }

  // What the run does now, from its own answers.
  let state = null;
  let wasRunning = false;
  const seconds = (time) => time < 10 ? `${time.toFixed(1)} s` : time < 120 ? `${Math.round(time)} s` : `${Math.round(time / 60)} min`;
  const MOST_ROWS = 100;

  function cell(row, text, name) {
    const cell = row.insertCell();
    cell.textContent = text;
    if (name) cell.className = name;
    return cell;
  }

  function row(step, item) {
    const row = document.createElement("tr");
    row.dataset.item = `${step}:${item.index}`;
    cell(row, item.slot, "r");
    cell(row, item.index, "r");
    cell(row, item.item ?? "", "wide");
    cell(row, "", "r");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Cancel";
    button.setAttribute("aria-label", `Cancel item ${item.index}${item.item ? `: ${item.item}` : ""}`);
    button.addEventListener("click", () => send({ command: "cancel", step, item: item.index }));
    row.insertCell().append(button);
    return row;
  }

  // Rows keep their elements as long as their items run, so that focus stays where it is.
  function running(step) {
    const body = get("running");
    const items = (step?.running ?? []).slice(0, MOST_ROWS);
    const rows = new Map([...body.rows].map((row) => [row.dataset.item, row]));
    const wanted = items.map((item) => {
      const there = rows.get(`${step.name}:${item.index}`) ?? row(step.name, item);
      there.cells[0].textContent = item.slot;
      there.cells[3].textContent = seconds(item.seconds);
      return there;
    });
    const lost = document.activeElement?.closest("#running tr");
    for (const row of [...body.rows]) if (!wanted.includes(row)) row.remove();
    wanted.forEach((row, at) => { if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null); });
    // The item has ended under the reader's finger: the focus must not fall to the top of the page.
    if (lost && !lost.isConnected) (body.querySelector("button") ?? get("pause")).focus();
    const more = (step?.running.length ?? 0) - items.length;
    get("more-running").hidden = more <= 0;
    get("more-running").textContent = `and ${more} more`;
  }

  function control({ running: isRunning, state: now, why }) {
    state = now;
    const had = ["controls", "items"].some((id) => get(id).contains(document.activeElement));
    get("live").hidden = !isRunning && !wasRunning && get("answer").textContent === "";
    get("controls").hidden = get("items").hidden = !isRunning || !now;
    get("no-control").hidden = !isRunning || !why;
    get("no-control").textContent = why ? `It cannot be steered from here: ${why}.` : "";
    if (!isRunning) {
      get("ask-stop").close();
      if (wasRunning) say("The run has ended.");
      if (had) get("answer").focus();
    }
    wasRunning = isRunning;
    if (!isRunning || !now) return;
    get("pause").textContent = now.paused ? "Continue" : "Pause";
    get("paused").hidden = !now.paused;
    get("stop").disabled = now.stopping;
    get("stop").textContent = now.stopping ? "Stopping" : "Stop the run…";
    const { step } = now;
    for (const id of ["jobs", "skip", "retry-failed"]) get(id).disabled = !step;
    if (step) {
      const jobs = get("jobs");
      jobs.max = step.most_jobs;
      if (document.activeElement !== jobs) jobs.value = step.jobs;
      get("jobs-note").textContent = `of ${step.most_jobs}${step.auto ? ", found automatically" : ""}`;
      get("skip-note").textContent = `of ${step.name}, if it has not begun`;
    }
    running(step);
  }

  // Commands.
  function say(text, bad = false) {
    get("answer").textContent = text;
    get("answer").classList.toggle("bad", bad);
  }

  async function send(command) {
    say("…");
    try {
      const response = await fetch(`${base}/command`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(command),
      });
      if (!response.headers.get("Content-Type")?.startsWith("application/json")) throw new Error(await response.text());
      const answer = await response.json();
      if (answer.done) say(answer.done.text);
      else say(`Not done: ${answer.refused?.message ?? "no answer"}${answer.refused?.help ? `. ${answer.refused.help}` : ""}`, true);
    } catch (error) {
      say(`Not done: ${error.message}`, true);
    }
  }

  get("pause").addEventListener("click", () => send({ command: state?.paused ? "continue" : "pause" }));
  get("retry-failed").addEventListener("click", () => send({ command: "retry-failed" }));
  get("jobs-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send({ command: "jobs", jobs: get("jobs").valueAsNumber });
  });
  get("skip-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send({ command: "skip", step: state.step.name, item: get("skip").valueAsNumber });
    get("skip").value = "";
  });
  get("stop").addEventListener("click", () => get("ask-stop").showModal());
  get("stop-no").addEventListener("click", () => get("ask-stop").close());
  get("stop-yes").addEventListener("click", () => {
    get("ask-stop").close();
    send({ command: "stop" });
  });

  // The line to the server.
  const AGAIN = 2000;
  const line = (text, bad) => {
    if (get("line").textContent !== text) get("line").textContent = text;
    get("line").classList.toggle("bad", bad);
    document.body.classList.toggle("stale", bad);
  };

  function listen() {
    const events = new EventSource(`${base}/events`);
    const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
    events.addEventListener("open", () => line("connected", false));
    on("parts", parts);
    on("control", control);
    on("problem", (problem) => line(problem ? `the run cannot be read: ${problem}` : "connected", Boolean(problem)));
    events.addEventListener("error", async () => {
      line("connection lost; what you see may be old; trying again", true);
      if (events.readyState !== EventSource.CLOSED) return;
      // The server has answered, but with something else.
      const status = await fetch(location.href, { cache: "no-store" }).then((it) => it.status, () => 0);
      if (status === 401) line("the server was started anew; open the address that it printed", true);
      else if (status === 404) line("this run was deleted", true);
      else setTimeout(listen, AGAIN);
    });
    addEventListener("pagehide", () => events.close(), { once: true });
  }

  listen();
})();
