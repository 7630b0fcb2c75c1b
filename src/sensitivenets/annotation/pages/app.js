"use strict";

// Text reaches the page through textContent alone: a name may be anything.

const QUEUES = {
  doubt: ["Doubtful first", "Rows nobody has looked at, the likeliest to be wrong first. The percentage is how likely the classifier finds the label."],
  sweep: ["Sweep", "One class at a time: decide on the odd ones out, then Enter accepts all others on this screen."],
  random: ["Random check", "Drawn at random and shown without a label, so that it does not lead you. From these the wrong labels left are estimated; say beforehand how many you will do."],
  second: ["Second opinion", "Others have looked at these; you do not see what they said. Agreement is measured here."],
  disputes: ["To settle", "Annotators disagree, were unsure, or the classifier finds what they said unlikely. Your word is final."],
};
const BLIND = new Set(["random", "second"]);
const TAKES_COUNT = { doubt: "doubt", random: null, sweep: null, second: "second", disputes: "disputes" };

const state = { session: null, annotator: "", queue: "doubt", sweep: 0, items: [], focus: 0, version: null, batch: 0, loaded: 0, status: null };
const at = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function count(n) {
  return n.toLocaleString("en-GB").replaceAll(",", "\u202f");
}

function likely(p) {
  if (p < 0.005) return "<1\u202f%";
  return p > 0.995 ? ">99\u202f%" : `${Math.round(100 * p)}\u202f%`;
}

function percent(x) {
  return (100 * x).toFixed(1) + "\u202f%";
}

// ---- Asking and sending ----

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(query ? `${path}?${query}` : path);
  if (!response.ok) throw await refusal(response);
  return response.json();
}

async function refusal(response) {
  let told = {};
  try { told = await response.json(); } catch { /* no JSON: the status says enough */ }
  const error = new Error(told.error || `the server answered ${response.status}`);
  error.refused = response.status < 500;
  error.stale = Boolean(told.stale);
  return error;
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-sensitivenets-csrf": state.session.csrf },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

function newRequest() {
  // randomUUID is not there on http pages of other machines.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// What is not acknowledged is kept in the browser too, and sent again after a reload. The server
// takes a request it has seen before as the same one.
const outbox = {
  last: Promise.resolve(),
  waiting: 0,
  key: (request) => `sensitivenets:${state.session.task}:${request}`,
  add(path, body) {
    localStorage.setItem(this.key(body.request), JSON.stringify({ path, body, when: Date.now() }));
    return this.send(path, body);
  },
  send(path, body) {
    this.waiting += 1;
    const sent = this.last.then(() => this.deliver(path, body));
    this.last = sent.catch(() => {});
    return sent;
  },
  async deliver(path, body) {
    for (let pause = 250; ; pause = Math.min(2 * pause, 4000)) {
      try {
        const answer = await post(path, body);
        this.done(body);
        return answer;
      } catch (error) {
        if (error.stale) {
          try { await openSession(); } catch { /* tried again below */ }
        } else if (error.refused) {
          this.done(body);
          throw error;
        }
        at("unsaved").hidden = false;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  },
  done(body) {
    this.waiting -= 1;
    localStorage.removeItem(this.key(body.request));
    at("unsaved").hidden = true;
  },
  sendKept() {
    const kept = Object.keys(localStorage)
      .filter((key) => key.startsWith(this.key("")))
      .map((key) => JSON.parse(localStorage.getItem(key)))
      .sort((a, b) => a.when - b.when);
    for (const { path, body } of kept) this.send(path, body).catch((error) => say(error.message));
    return this.last;
  },
};

// ---- The grid ----

function screenSize() {
  const grid = at("grid");
  const narrow = matchMedia("(max-width: 40rem)").matches;
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const tile = ((grid.clientWidth - 10 * (columns - 1)) / columns) * 1.25 + 42;
  const room = innerHeight - grid.getBoundingClientRect().top - scrollY - document.querySelector("footer").offsetHeight;
  return Math.min(Math.max(columns * Math.max(Math.floor(room / tile), narrow ? 4 : 2), 6), 120);
}

async function load() {
  const mine = ++state.batch;
  await outbox.last;
  const parameters = { queue: state.queue, annotator: state.annotator, size: screenSize() };
  if (state.queue === "sweep") parameters.class = state.session.classes[state.sweep];
  try {
    const { items } = await ask("/api/batch", parameters);
    if (mine !== state.batch) return;
    state.items = items.map((item) => ({ ...item, decided: false }));
    draw();
  } catch (error) {
    say(`Cannot load: ${error.message}. Press R to try again.`);
  }
}

function draw() {
  const tiles = state.items.map(drawTile);
  at("grid").replaceChildren(...tiles);
  at("nothing").hidden = tiles.length > 0;
  at("nothing").textContent = state.queue === "sweep" ? "Nothing left of this class." : "Nothing waits here.";
  mark(0, !document.querySelector("dialog[open]"));
  state.loaded = state.batch;
}

function drawTile(item, index) {
  const picture = make("div", { className: "picture" });
  const name = make("span", { textContent: item.name });
  if (item.image) {
    const image = make("img", { src: `/image/${item.row}`, alt: "", decoding: "async" });
    image.addEventListener("error", () => image.replaceWith(name));
    picture.append(image);
  } else {
    picture.append(name);
  }
  const caption = make("div", { className: "caption" });
  if (item.label !== null) {
    caption.classList.add(`k${state.session.classes.indexOf(item.label)}`);
    caption.append(make("b", { textContent: item.label }));
    if (item.confidence !== null) {
      caption.append(make("span", { textContent: likely(item.confidence) }));
    }
    caption.title = `${item.label}, from ${item.source === "table" ? "the table" : item.source === "people" ? "annotators" : "the classifier"}. `
      + "The classifier's probability of this label is beside it.";
  } else {
    caption.append(make("span", { textContent: item.name }));
  }
  const tile = make("div", { className: "tile", tabIndex: -1 }, picture, caption, make("div", { className: "verdict" }));
  if (item.votes) {
    const said = item.votes.map(([who, label]) => make("div", { textContent: `${who}: ${label ?? "unsure"}` }));
    tile.append(make("div", { className: "votes" }, make("i", { textContent: item.reason }), ...said));
  }
  tile.setAttribute("role", "option");
  tile.dataset.row = item.row;
  tile.addEventListener("click", () => mark(state.items.indexOf(item)));
  tile.setAttribute("aria-setsize", state.items.length);
  tile.setAttribute("aria-posinset", index + 1);
  item.tile = tile;
  describe(item);
  return tile;
}

function describe(item) {
  const sure = item.confidence === null || item.confidence === undefined ? "" : `, ${likely(item.confidence)}`;
  const verdict = item.decided ? (item.verdict ?? "unsure") : "";
  item.tile.classList.toggle("decided", item.decided);
  item.tile.classList.toggle("unsure", item.decided && verdict === "unsure");
  item.tile.classList.toggle("changed", item.decided && item.label !== null && verdict !== item.label);
  item.tile.querySelector(".verdict").textContent = verdict;
  item.tile.setAttribute("aria-label", `${item.name}: ${verdict ? `decided, ${verdict}` : `${item.label ?? "no label"}${sure}`}`);
}

function mark(index, focus = true) {
  if (!state.items.length) return;
  state.items[state.focus]?.tile.setAttribute("aria-selected", "false");
  if (state.items[state.focus]) state.items[state.focus].tile.tabIndex = -1;
  state.focus = Math.min(Math.max(index, 0), state.items.length - 1);
  const { tile } = state.items[state.focus];
  tile.tabIndex = 0;
  tile.setAttribute("aria-selected", "true");
  if (focus) {
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }
}

function columns() {
  const tops = state.items.map((item) => item.tile.offsetTop);
  const second = tops.findIndex((top) => top > tops[0]);
  return second < 0 ? tops.length : second;
}

// ---- Deciding ----

function decide(items, verdictOf) {
  const open = items.filter((item) => !item.decided);
  if (!open.length) return;
  const decisions = open.map((item) => ({ row: item.row, label: verdictOf(item), shown: item.label }));
  open.forEach((item, k) => {
    item.decided = true;
    item.verdict = decisions[k].label;
    item.tile.classList.add("saving");
    describe(item);
  });
  const body = { annotator: state.annotator, queue: state.queue, request: newRequest(), decisions };
  outbox.add("/api/decisions", body).then(
    () => {
      open.forEach((item) => item.tile.classList.remove("saving"));
      refreshSoon();
    },
    (error) => {
      open.forEach((item) => { item.decided = false; item.tile.classList.remove("saving"); describe(item); });
      say(`Refused: ${error.message}`);
    },
  );
  forward();
}

function forward() {
  const rest = [...state.items.keys()].filter((k) => !state.items[k].decided);
  if (rest.length) mark(rest.find((k) => k > state.focus) ?? rest[0]);
  else load();
}

function current() {
  const item = state.items[state.focus];
  return item && !item.decided ? [item] : [];
}

function accept() {
  const [item] = current();
  if (!item) return;
  if (item.label === null) say("No label to accept: choose one by its number.");
  else decide([item], (one) => one.label);
}

function acceptRest() {
  if (state.queue === "sweep") decide(state.items, (one) => one.label);
  else accept();
}

function choose(code) {
  if (code < state.session.classes.length) decide(current(), () => state.session.classes[code]);
}

function change() {
  const [item] = current();
  if (!item) return;
  const { classes } = state.session;
  if (item.label === null) say("No label to change: choose one by its number.");
  else decide([item], () => classes[(classes.indexOf(item.label) + 1) % classes.length]);
}

async function undo() {
  try {
    const body = { annotator: state.annotator, request: newRequest() };
    const { items } = await outbox.add("/api/undo", body);
    if (!items.length) return say("Nothing to undo.");
    for (const item of [...items].reverse()) bringBack(item);
    mark(state.items.findIndex((one) => one.row === items[0].row));
    say(items.length === 1 ? `Undone: ${items[0].name}` : `Undone: ${items.length} rows`);
    refreshSoon();
  } catch (error) {
    say(`Cannot undo: ${error.message}`);
  }
}

function bringBack(item) {
  const known = state.items.find((one) => one.row === item.row);
  if (known) {
    known.decided = false;
    describe(known);
    return;
  }
  state.loaded = ++state.batch;
  state.items.unshift({ ...item, decided: false });
  at("grid").prepend(drawTile(state.items[0], 0));
  at("nothing").hidden = true;
  state.focus += 1;
}

// ---- How far we are ----

let refreshTimer = 0;
function refreshSoon() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, 150);
}

async function refresh() {
  if (!state.annotator) return;
  try {
    const status = await ask("/api/status", { annotator: state.annotator });
    const before = state.version;
    state.version = status.classifier.version;
    state.status = status;
    drawStatus(status);
    const sorted = state.queue === "doubt" || state.queue === "sweep";
    if (before !== null && before !== state.version && sorted && !state.items.some((item) => item.decided)) {
      if (before === -1 || state.focus === 0) load();
    }
  } catch { /* the next one will tell */ }
}

function drawStatus(status) {
  at("progress").value = status.checked / status.rows;
  at("checked").textContent = `${count(status.checked)} of ${count(status.rows)}`;
  const classes = Object.entries(status.by_class).map(([name, n]) => `${name} ${count(n)}`).join(", ");
  at("checked-more").textContent = `${count(status.mine)} by you. ${classes}`;
  drawError(status);
  const pairs = status.agreement;
  const kappas = pairs.map((pair) => (pair.kappa === null ? "not defined" : pair.kappa.toFixed(2)));
  at("kappa").textContent = pairs.length ? `kappa ${kappas[0]}` : "one annotator";
  at("kappa-more").textContent = pairs.length
    ? pairs.map((pair, k) => `${pair.first} and ${pair.second}: ${k ? `kappa ${kappas[k]}, ` : ""}${
        pair.kappa === null ? "" : `${pair.low.toFixed(2)} to ${pair.high.toFixed(2)}, `}${count(pair.n)} rows`).slice(0, 3).join("\n")
    : "a second one gives second opinions";
  const { classifier } = status;
  at("classifier").textContent = classifier.accuracy ? `${percent(classifier.accuracy.value)} agree` : "nothing learned yet";
  at("classifier-more").textContent = classifier.failed ? `failed: ${classifier.failed}`
    : classifier.training ? "learning ..."
      : classifier.accuracy ? `with ${count(classifier.n_labelled)} labels, unseen` : "needs 5 labels of two classes";
  for (const button of at("queues").children) {
    const key = TAKES_COUNT[button.dataset.queue];
    button.querySelector("small").textContent = key && status.waiting[key] ? count(status.waiting[key]) : "";
  }
}

function drawError({ error, round }) {
  if (!error) {
    at("error").textContent = "not known yet";
    at("error-more").textContent = "make random checks to estimate it";
    return;
  }
  const { share } = error;
  at("error").textContent = `${percent(share.value)} (${percent(share.low)} to ${percent(share.high)})`;
  const rounds = round.number > 1 ? `, sample ${round.number}` : "";
  at("error-more").textContent = `about ${count(Math.round(error.remaining))} labels; `
    + `${count(share.n)} random checks, ${count(error.wrong)} wrong${rounds}`;
}

// Often while the classifier learns: the screen waits for its order.
function keepLooking() {
  setTimeout(async () => {
    if (!document.hidden) await refresh();
    keepLooking();
  }, state.status?.classifier.training ? 500 : 3000);
}

let sayTimer = 0;
function say(text) {
  at("said").textContent = text;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { at("said").textContent = ""; }, 3500);
}

// ---- Setting up ----

function show(queue) {
  state.queue = queue;
  for (const button of at("queues").children) {
    if (button.dataset.queue === queue) {
      button.setAttribute("aria-current", "page");
      button.scrollIntoView({ block: "nearest", inline: "center" });
    } else button.removeAttribute("aria-current");
  }
  at("about").textContent = QUEUES[queue][1];
  at("sweep-classes").hidden = queue !== "sweep";
  at("new-round").hidden = queue !== "random";
  drawSweep();
  drawActions();
  return load();
}

function drawSweep() {
  [...at("sweep-classes").children].forEach((button, k) => button.setAttribute("aria-pressed", String(k === state.sweep)));
}

function action(key, text, run, disabled = false, tint = "") {
  const button = make("button", { type: "button", disabled }, make("kbd", { textContent: key }), make("span", { textContent: text, className: tint }));
  // The mark stays on its row: a click on a button takes no focus away from the grid.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", run);
  return button;
}

function drawActions() {
  const blind = BLIND.has(state.queue);
  const first = state.queue === "sweep"
    ? action("Enter", "Accept all others", acceptRest)
    : action("Enter", "Accept", accept, blind);
  const classes = state.session.classes.map((name, code) => action(String(code + 1), name, () => choose(code), false, `k${code}`));
  at("actions").replaceChildren(first, ...classes, action("U", "Unsure", () => decide(current(), () => null)),
    make("span", { className: "gap" }), action("Z", "Undo", undo), action("?", "Keys", () => at("help").showModal()));
}

function drawKeys() {
  const { classes } = state.session;
  const rows = [["Arrows, Home, End", "move the mark"], ["Enter", "accept the label; in a sweep, all others on the screen"],
    ["Space", "accept this one"], [`1 to ${classes.length}`, classes.join(", ")], ["C", "change to the other label"], ["U", "unsure"],
    ["Z or Backspace", "undo your last action"], ["R", "load this screen again"], ["Tab", "to the queues and buttons"]];
  at("keys").replaceChildren(...rows.map(([key, text]) => make("tr", {}, make("td", {}, make("kbd", { textContent: key })), make("td", { textContent: text }))));
}

const KEYS = {
  Enter: acceptRest, " ": accept, c: change, u: () => decide(current(), () => null), z: undo, Backspace: undo, r: load,
  "?": () => at("help").showModal(),
  ArrowLeft: () => mark(state.focus - 1), ArrowRight: () => mark(state.focus + 1),
  ArrowUp: () => mark(state.focus - columns() >= 0 ? state.focus - columns() : state.focus),
  ArrowDown: () => mark(state.focus + columns()),
  Home: () => mark(0), End: () => mark(state.items.length - 1),
};

function onKey(event) {
  if (document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey && key !== "z") return;
  const onButton = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
  if (onButton && (key === "Enter" || key === " ")) return;
  const run = /^[1-9]$/.test(key) ? () => choose(Number(key) - 1) : KEYS[key];
  if (!run) return;
  event.preventDefault();
  run();
}

function chooseName(suggested) {
  const dialog = at("name-dialog");
  at("name").value = suggested;
  dialog.showModal();
  at("name").select();
  return new Promise((resolve) => {
    dialog.oncancel = (event) => { if (!state.annotator) event.preventDefault(); };
    dialog.onclose = () => resolve(at("name").value.trim() || state.annotator);
  });
}

async function sign(name) {
  state.annotator = name;
  // Of this tab; the browser's others may be somebody else's.
  sessionStorage.setItem("annotator", name);
  localStorage.setItem("sensitivenets-annotator", name);
  at("who").textContent = name;
}

async function openSession() {
  state.session = await ask("/api/session");
}

async function begin() {
  await openSession();
  const { session } = state;
  document.title = `${session.attribute} \u00b7 annotate`;
  at("attribute").textContent = session.attribute;
  at("queues").replaceChildren(...Object.entries(QUEUES).map(([queue, [title]]) => {
    const button = make("button", { type: "button" }, title, make("small"));
    button.dataset.queue = queue;
    button.addEventListener("click", () => show(queue));
    return button;
  }));
  at("sweep-classes").replaceChildren(...session.classes.map((name, k) => {
    const button = make("button", { type: "button", textContent: name, className: `k${k}` });
    button.addEventListener("click", () => { state.sweep = k; drawSweep(); load(); });
    return button;
  }));
  drawKeys();
  drawActions();
  let name = sessionStorage.getItem("annotator");
  while (!name) name = await chooseName(localStorage.getItem("sensitivenets-annotator") || session.annotator);
  await sign(name);
  outbox.sendKept();
  await show("doubt");
  await refresh();
  document.addEventListener("keydown", onKey);
  keepLooking();
}

at("who").addEventListener("click", async () => {
  const name = await chooseName(state.annotator);
  if (name && name !== state.annotator) { await sign(name); await load(); await refresh(); }
});
at("new-round").addEventListener("click", async () => {
  if (!confirm("Begin a new sample? It is drawn from the rows that nobody has looked at by now. The estimate starts again from nothing.")) return;
  await outbox.add("/api/round", { annotator: state.annotator, request: newRequest() }).catch((error) => say(error.message));
  await load();
  await refresh();
});
addEventListener("beforeunload", (event) => { if (outbox.waiting) event.preventDefault(); });
begin().catch((error) => say(`Cannot open: ${error.message}`));
