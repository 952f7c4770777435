// Keeps the page up to date: fetches it again and changes what differs, so that focus, scroll
// position, text selection and what is open stay as they are. Without this script the page shows
// the same numbers, as of when it was loaded.
"use strict";
(() => {
  const PERIOD = 5000;
  const PATIENCE = 10000;
  const by = (id) => document.getElementById(id);
  const [main, fresh, pause, stale, say] = ["main", "fresh", "pause", "stale", "say"].map((id) =>
    id === "main" ? document.querySelector(id) : by(id));
  // Attributes that are the reader's, once an element is there.
  const THEIRS = new Set(["open", "hidden"]);
  let timer = 0;
  let running = false;
  let updated = fresh.textContent;

  // ---- Changing what differs ----

  const key = (node) => (node.nodeType === Node.ELEMENT_NODE && node.dataset.key) || "";
  const keyedIn = (root) =>
    new Map([...root.querySelectorAll("[data-key]")].map((node) => [node.dataset.key, node]));
  const alike = (one, other) =>
    !key(one) && one.nodeName === other.nodeName && one.className === other.className;

  function attributes(now, next) {
    for (const { name } of [...now.attributes]) {
      if (!THEIRS.has(name) && !next.hasAttribute(name)) now.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (!THEIRS.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
  }

  // Makes `now` what `next` is. `had` and `has` are all elements with keys, before and after.
  function become(now, next, had, has) {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    if (now.hasAttribute("data-own")) return;
    attributes(now, next);
    for (const child of [...now.children]) {
      if (key(child) && !has.has(key(child))) child.remove();
    }
    let at = now.firstChild;
    for (const want of next.childNodes) {
      const have = key(want) ? had.get(key(want)) : following(at, want);
      if (!have) {
        now.insertBefore(fitted(want, had, has), at);
        continue;
      }
      if (!key(want)) while (at !== have) at = dropped(at);
      if (at === have) at = at.nextSibling;
      else now.insertBefore(have, at);
      become(have, want, had, has);
    }
    while (at) at = dropped(at);
  }

  // The next sibling without a key that `want` can be written over.
  function following(at, want) {
    while (at && !key(at) && !alike(at, want)) at = at.nextSibling;
    return at && alike(at, want) ? at : null;
  }

  // A new element, around what there was of its inside.
  function fitted(want, had, has) {
    const fresh = document.importNode(want, false);
    for (const child of want.childNodes) {
      const have = key(child) && had.get(key(child));
      fresh.append(have || fitted(child, had, has));
      if (have) become(have, child, had, has);
    }
    return fresh;
  }

  function dropped(node) {
    const after = node.nextSibling;
    node.remove();
    return after;
  }

  // ---- Fetching ----

  async function update() {
    clearTimeout(timer);
    if (running || document.hidden || isPaused()) return;
    running = true;
    try {
      const answer = await fetch(location.pathname + location.search, {
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      stale.hidden = true;
      stale.textContent = "";
    } catch (error) {
      const why = error.name === "Error" ? error.message : "it does not answer";
      const text = `Not up to date: ${why}. ${updated}.`;
      if (stale.textContent !== text) stale.textContent = text;
      stale.hidden = false;
    }
    running = false;
    timer = setTimeout(update, PERIOD);
  }

  function show(next) {
    const style = (page) => page.querySelector("head style")?.textContent;
    const nextMain = next.querySelector("main");
    if (!nextMain) throw new Error("it answers something else");
    // Another version serves by now.
    if (style(next) !== style(document)) return location.reload();
    const focused = document.activeElement;
    const before = alarm();
    become(main, nextMain, keyedIn(main), keyedIn(nextMain));
    become(fresh, next.getElementById("fresh"), new Map(), new Map());
    updated = fresh.textContent;
    document.title = next.title;
    if (focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    filter();
    // Said aloud is only what alarms, not every count.
    if (alarm() !== before) say.textContent = by("headline").textContent;
  }

  // What changes when the verdict is another, and not when a number alone is.
  const alarm = () => by("verdict").className + by("headline").textContent.replace(/.*\bon\b/, "");

  function isPaused() {
    return pause.getAttribute("aria-pressed") === "true";
  }

  // ---- Finding hosts ----

  function filter() {
    const input = by("filter");
    if (!input) return;
    input.parentElement.hidden = false;
    const text = input.value.trim().toLowerCase();
    const odd = by("odd").checked;
    let shown = 0;
    const hosts = main.querySelectorAll(".hosts > li");
    for (const host of hosts) {
      const fits = host.dataset.key.slice(2).includes(text) && !(odd && !host.querySelector(".tags"));
      host.hidden = !fits;
      shown += fits;
    }
    for (const group of main.querySelectorAll(".group")) {
      group.hidden = !group.querySelector(".hosts > li:not([hidden])");
    }
    // It is read out as it changes: when there is nothing to find, there is nothing to say.
    const found = text || odd ? `${shown} of ${hosts.length} hosts` : "";
    if (by("found").textContent !== found) by("found").textContent = found;
  }

  main.addEventListener("input", filter);
  by("reload").hidden = true;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    if (isPaused()) clearTimeout(timer);
    else update();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else update();
  });
  filter();
  timer = setTimeout(update, PERIOD);
})();
