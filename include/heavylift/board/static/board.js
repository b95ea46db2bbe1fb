// The board's behaviour: live updates, keys, curves, what runs now, starting a run. No library but uPlot.
// Pages work without it: it only adds to what the server has written.
"use strict";
(() => {
  const POLL_MS = 5000;
  const FAR_MS = 30000;
  const body = document.body;
  const api = body.dataset.api;
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

  // ---- theme: Airflow's own choice where the board lies in its frame, else the browser's.
  function outer() {
    try {
      return window.parent !== window && window.parent.document ? window.parent : null;
    } catch {
      return null; // framed by another origin, which may know nothing of this page
    }
  }
  function followTheme() {
    const frame = outer();
    if (!frame) return;
    const root = frame.document.documentElement;
    const take = () => {
      const dark = root.classList.contains("dark") || root.dataset.theme === "dark";
      document.documentElement.dataset.theme = dark ? "dark" : "light";
      drawCharts();
    };
    new MutationObserver(take).observe(root, { attributes: true, attributeFilter: ["class", "data-theme"] });
    take();
  }

  // ---- links to Airflow's own pages leave its frame: the frame may not navigate its top, but the top may.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-top], a.proof");
    const frame = outer();
    if (!link || !frame || event.ctrlKey || event.metaKey || event.button !== 0) return;
    event.preventDefault();
    const copy = frame.document.createElement("a");
    copy.href = link.href;
    if (link.classList.contains("proof")) copy.target = "_blank";
    copy.rel = "noopener";
    frame.document.body.append(copy);
    copy.click();
    copy.remove();
  });

  // ---- live updates: the same page again, and only what differs is put in its place.
  let etag = "";
  let timer = 0;
  let failures = 0;
  const say = (words) => {
    const live = $("#live");
    if (live.textContent !== words) live.textContent = words;
  };
  const clock = () => `${new Date().toISOString().slice(11, 19)} UTC`;

  async function poll() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const headers = etag ? { "If-None-Match": etag } : {};
        const answer = await fetch(location.href, { headers, credentials: "same-origin" });
        if (answer.status === 401 || answer.status === 403) {
          say("Your login has ended: reload the page");
          return;
        }
        if (answer.status !== 304) {
          if (!answer.ok) throw new Error(String(answer.status));
          etag = answer.headers.get("ETag") || "";
          replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
        }
        failures = 0;
        say(`Live, looked at ${clock()}`);
      } catch {
        failures += 1;
        say(`No answer from Airflow since ${failures} ${failures === 1 ? "try" : "tries"}; what is shown is old`);
      }
      await running();
    }
    timer = setTimeout(poll, failures > 3 ? FAR_MS : POLL_MS);
  }

  function replace(fresh) {
    for (const part of $$("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next) continue;
      const open = $$("details[open][id]", part).map((each) => each.id);
      for (const id of open) next.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
      tidy(next);
      if (part.dataset.seen === next.innerHTML) continue;
      const focused = part.contains(document.activeElement) ? describe(document.activeElement, part) : null;
      const seen = next.innerHTML;
      part.replaceChildren(...next.childNodes);
      part.dataset.seen = seen;
      if (focused) find(focused, part)?.focus({ preventScroll: true });
    }
    drawCharts();
    ready();
  }
  // What has the focus is found again by its id, else by its place among all that can have it.
  const FOCUSABLE = "a[href], button, summary, [tabindex]";
  function describe(element, part) {
    return { id: element.id, place: $$(FOCUSABLE, part).indexOf(element) };
  }
  function find({ id, place }, part) {
    return (id && document.getElementById(id)) || $$(FOCUSABLE, part)[place];
  }
  function tidy(part) {
    for (const time of $$("time", part)) time.textContent = ago(new Date(time.dateTime));
    for (const table of $$("table", part)) label(table);
  }
  // On a narrow screen each cell stands on a line of its own and tells its column: see board.css. The roles
  // are those that a table has by itself until it is laid out otherwise.
  function label(table) {
    const names = $$("thead th", table).map((each) => each.textContent);
    if (!names.length) return;
    table.classList.add("named");
    table.setAttribute("role", "table");
    for (const group of $$("thead, tbody", table)) group.setAttribute("role", "rowgroup");
    for (const row of $$("tr", table)) row.setAttribute("role", "row");
    for (const name of $$("thead th", table)) name.setAttribute("role", "columnheader");
    for (const row of $$("tbody tr", table)) {
      [...row.children].forEach((cell, at) => {
        cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
        cell.dataset.column = names[at] || "";
      });
    }
  }
  function ago(then) {
    const seconds = Math.max(0, (Date.now() - then) / 1000);
    if (seconds < 60) return "just now";
    for (const [size, name] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
      const count = Math.floor(seconds / size);
      if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"} ago`;
    }
    return "just now";
  }

  // ---- curves
  function colour(name) {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }
  function hours(_, ticks) {
    const days = ticks.length > 1 && ticks[ticks.length - 1] - ticks[0] > 86400;
    return ticks.map((each) => {
      const told = new Date(each * 1000).toISOString();
      return days ? `${told.slice(5, 10)} ${told.slice(11, 16)}` : told.slice(11, 19).replace(/:00$/, "");
    });
  }
  const drawn = new Map();
  function drawCharts() {
    for (const [place, plot] of drawn) {
      plot.destroy();
      drawn.delete(place);
    }
    if (!window.uPlot) return;
    for (const place of $$("[data-chart]")) {
      const { unit, data } = JSON.parse(place.dataset.chart);
      const ink = colour("--soft");
      const grid = { stroke: colour("--line"), width: 1 };
      const axis = { stroke: ink, grid, ticks: grid };
      const options = {
        width: place.clientWidth || 600,
        height: 185,
        scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [{ ...axis, values: hours }, { ...axis, size: 60, values: (_, ticks) => ticks.map((each) => `${each} s`) }],
        series: [{}, {
          label: "lag, seconds", stroke: colour("--source"), width: 2, fill: "transparent",
          points: { show: true, size: 6 },
        }, { label: unit, scale: "amount", stroke: "transparent", width: 0, points: { show: false } }],
      };
      place.replaceChildren();
      drawn.set(place, new uPlot(options, data, place));
    }
  }
  addEventListener("resize", () => drawCharts());

  // ---- what runs now: asked of Airflow's REST API with the reader's own login, so its permissions hold.
  const ACTIVE = ["running", "deferred", "queued", "up_for_retry", "restarting"];
  async function ask(path, options = {}) {
    const answer = await fetch(api + path, { credentials: "same-origin", ...options });
    if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { status: answer.status });
    return answer.json();
  }
  const part = encodeURIComponent;
  async function running() {
    const place = $("#running");
    if (!place) return;
    const dags = JSON.parse($("#now").dataset.dags);
    if (!dags.length) return put(place, [line("Nothing of it may be read by you in Airflow.")]);
    try {
      const found = await ask("/dags/~/dagRuns/~/taskInstances/list", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ dag_ids: dags, state: ACTIVE, page_limit: 30 }),
      });
      const rows = await Promise.all(found.task_instances.map(row));
      const waiting = rows.length ? [] : await waits(dags);
      put(place, rows.length || waiting.length ? [list([...rows, ...waiting])] : [line("Nothing runs.")]);
    } catch (error) {
      put(place, [line(error.status === 403 ? "Your permissions do not show what runs." : "Airflow did not say what runs.")]);
    }
  }
  // Runs of which no task is at work: of a DAG that is paused none ever is.
  async function waits(dags) {
    const found = await ask("/dags/~/dagRuns/list", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ dag_ids: dags, states: ["queued", "running"], page_limit: 10 }),
    });
    return Promise.all(found.dag_runs.map(async (run) => {
      const paused = (await ask(`/dags/${part(run.dag_id)}`)).is_paused;
      const made = document.createElement("li");
      const link = document.createElement("a");
      link.dataset.top = "";
      link.href = `${body.dataset.airflow}/dags/${part(run.dag_id)}/runs/${part(run.dag_run_id)}`;
      link.textContent = run.dag_id;
      const words = document.createElement("span");
      words.className = "sub";
      words.textContent = paused ? `${run.state}; the DAG is paused: nothing of it starts before somebody switches it on` : run.state;
      made.append(link, words);
      return made;
    }));
  }
  function put(place, nodes) {
    const holder = document.createElement("div");
    holder.append(...nodes);
    if (place.innerHTML !== holder.innerHTML) place.replaceChildren(...holder.childNodes);
  }
  function line(words) {
    const made = document.createElement("p");
    made.className = "soft";
    made.textContent = words;
    return made;
  }
  function list(rows) {
    const made = document.createElement("ul");
    made.className = "plain";
    made.append(...rows);
    return made;
  }
  async function row(task) {
    const where = `/dags/${part(task.dag_id)}/dagRuns/${part(task.dag_run_id)}/taskInstances/${part(task.task_id)}`;
    const made = document.createElement("li");
    const link = document.createElement("a");
    const mapped = task.map_index >= 0 ? `/mapped/${task.map_index}` : "";
    link.dataset.top = "";
    link.href = `${body.dataset.airflow}/dags/${part(task.dag_id)}/runs/${part(task.dag_run_id)}/tasks/${part(task.task_id)}${mapped}`;
    link.textContent = task.task_id + (task.rendered_map_index ? ` ${task.rendered_map_index}` : mapped ? ` ${task.map_index}` : "");
    const words = document.createElement("span");
    words.className = "sub";
    words.textContent = `${task.dag_id}, ${task.state}`;
    made.append(link, words);
    if (task.state === "running") {
      try {
        const state = await ask(`${where}/state-store?map_index=${task.map_index}`);
        const kept = state.task_state_store.find((each) => each.key === "progress");
        if (kept) made.append(...progress(kept.value, task.task_id));
      } catch {
        words.textContent += ", and its progress cannot be read";
      }
    }
    return made;
  }
  function progress(value, name) {
    const bytes = value.bytes_total > 0;
    const done = bytes ? value.bytes_done : value.rows_done ?? value.objects_done ?? 0;
    const total = bytes ? value.bytes_total : value.rows_total ?? value.objects_total ?? 0;
    const bar = document.createElement("progress");
    bar.max = total || 1;
    bar.value = done;
    bar.setAttribute("aria-label", `progress of ${name}`);
    const words = document.createElement("span");
    const rate = value.bytes_per_second ?? null;
    const left = value.seconds_left ?? null;
    words.textContent = ` ${bytes ? size(done) : done} of ${bytes ? size(total) : total}` +
      (rate === null ? "" : `, ${size(rate)}/s`) + (left === null ? "" : `, ${span(left)} left`);
    return [bar, words];
  }
  function size(count) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0;
    let value = count;
    for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
    return `${value.toFixed(unit ? 1 : 0)} ${units[unit]}`;
  }
  function span(seconds) {
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${(seconds / 3600).toFixed(1)} h`;
  }

  // ---- starting a run: through Airflow's REST API, which decides whether this person may.
  function start(button) {
    const dag = button.dataset.dag;
    const box = document.createElement("dialog");
    const title = document.createElement("h2");
    title.id = "start-title";
    title.textContent = `Start ${dag}?`;
    box.setAttribute("aria-labelledby", title.id);
    const label = document.createElement("label");
    const dry = document.createElement("input");
    dry.type = "checkbox";
    dry.checked = true;
    const dryWords = document.createElement("span");
    dryWords.textContent = " dry run: look and plan, move nothing";
    label.append(dry, dryWords);
    const paused = document.createElement("label");
    paused.hidden = true;
    const on = document.createElement("input");
    on.type = "checkbox";
    const words = document.createElement("span");
    paused.append(on, words);
    // A DAG with a schedule would also run by itself from then on: nobody shall start that by the way.
    const known = ask(`/dags/${part(dag)}`).then((it) => {
      paused.hidden = !it.is_paused;
      on.checked = it.is_paused && !it.timetable_summary;
      words.textContent = " switch the DAG on: it is paused, and a run waits until it is on" +
        (it.timetable_summary ? "; from then on it also runs on its schedule" : "");
    }).catch(() => {}); // who may not read it is told so by the start itself
    const told = document.createElement("p");
    told.setAttribute("role", "status");
    const go = document.createElement("button");
    go.textContent = "Start";
    const no = document.createElement("button");
    no.textContent = "Cancel";
    const row = document.createElement("div");
    row.className = "row-of-buttons";
    row.append(go, no);
    box.append(title, label, paused, told, row);
    no.addEventListener("click", () => box.close());
    box.addEventListener("close", () => {
      box.remove();
      button.focus();
    });
    go.addEventListener("click", async () => {
      go.disabled = true;
      let switching = false;
      told.textContent = "Asking Airflow…";
      try {
        await known;
        switching = on.checked;
        if (switching) {
          await ask(`/dags/${part(dag)}?update_mask=is_paused`, {
            method: "PATCH",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ is_paused: false }),
          });
          switching = false;
        }
        const made = await ask(`/dags/${part(dag)}/dagRuns`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ logical_date: null, conf: { dry_run: dry.checked } }),
        });
        told.textContent = `Started: ${made.dag_run_id}`;
        no.textContent = "Close";
        poll();
      } catch (error) {
        go.disabled = false;
        if (error.status !== 403) told.textContent = `Airflow did not start it (${error.message}).`;
        else if (!switching) told.textContent = "Airflow says that you may not start it: starting needs the right to trigger the DAG.";
        else {
          // Two rights: who may start it may still do so, and the run waits until somebody switches the DAG on.
          on.checked = false;
          told.textContent = "Airflow says that you may not switch the DAG on: that needs the right to edit it. Nothing was started. " +
            "Start again to start it without that; the run waits until somebody who may switches the DAG on.";
        }
      }
    });
    body.append(box);
    box.showModal();
  }
  function ready() {
    for (const button of $$("button.start[hidden]")) button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.start");
    if (button) start(button);
  });

  // ---- keys
  function step(by) {
    const stops = $$("a.row").length ? $$("a.row") : $$("main h2[tabindex]");
    if (!stops.length) return;
    const at = stops.indexOf(document.activeElement);
    const next = stops[Math.min(stops.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : stops.length - 1) : at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  const KEYS = {
    j: () => step(1), ArrowDown: () => step(1),
    k: () => step(-1), ArrowUp: () => step(-1),
    "/": () => $("#q")?.focus(),
    n: () => $("a[rel=next]")?.click(),
    p: () => $("a[rel=prev]")?.click(),
    u: () => { if (!$("#lines")) $("a.brand").click(); },
    "?": () => $("#help").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("dialog[open]")) return;
    const typing = event.target.closest("input, select, textarea");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    // Arrows scroll the page where no list has them.
    if (event.key.startsWith("Arrow") && !document.activeElement.matches("a.row")) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  $("#help-open").hidden = false;
  $("#help-open").addEventListener("click", () => $("#help").showModal());
  $("#sort")?.addEventListener("change", (event) => event.target.form.requestSubmit());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });

  for (const live of $$("[data-live]")) {
    tidy(live);
    live.dataset.seen = live.innerHTML;
  }
  followTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
  drawCharts();
  ready();
  poll();
})();
