// What a page does beyond showing itself: it stays up to date, boxes are ticked all at once, and
// single keys lead through it. Without it every page works as it stands.
"use strict";

// What was just done is said once, and not again when the page is loaded again.
(() => {
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
})();

// Keeps what is shown up to date: asks for the same page now and then, and puts its live parts in
// the place of those that are shown, but for one that somebody is working in.
(() => {
  const PERIOD_MS = 3000;
  const stale = document.getElementById("stale");
  let tag = null;

  const isSelectedIn = (part) => {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
  };

  const isInUse = (part) =>
    part.querySelector("input:checked") !== null || isSelectedIn(part) ||
    part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button, summary");

  const openOnes = (part) =>
    [...part.querySelectorAll("details")].map((details) => details.open);

  const put = (part, next) => {
    if (part.innerHTML === next.innerHTML || isInUse(part)) {
      return;
    }
    const open = openOnes(part);
    const count = part.querySelectorAll("details").length;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...next.childNodes);
    const details = part.querySelectorAll("details");
    if (focused !== null) {
      [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
    }
    // Those that a person opened stay open; where there is a new one, the page says which are.
    if (details.length === count) {
      details.forEach((one, index) => { one.open = open[index]; });
    }
  };

  let isLooking = false;

  // One at a time: a list that takes longer than the period is not asked for again meanwhile.
  const lookOnce = async () => {
    if (document.hidden || isLooking) {
      return;
    }
    isLooking = true;
    try {
      await look();
    } finally {
      isLooking = false;
    }
  };

  const look = async () => {
    const headers = tag === null ? {} : { "If-None-Match": tag };
    // A form that was refused is shown again at its own address, which is none to look at.
    const from = document.querySelector("main[data-from]")?.dataset.from ?? location.href;
    const reply = await fetch(from, { headers, cache: "no-store", redirect: "error" });
    if (reply.status !== 200 && reply.status !== 304) {
      throw new Error(reply.statusText);
    }
    stale.hidden = true;
    if (reply.status === 304) {
      return;
    }
    tag = reply.headers.get("ETag");
    const next = new DOMParser().parseFromString(await reply.text(), "text/html");
    document.title = next.title;
    const icon = document.querySelector("link[rel=icon]");
    const other = next.querySelector("link[rel=icon]");
    if (icon !== null && other !== null && icon.getAttribute("href") !== other.getAttribute("href")) {
      icon.setAttribute("href", other.getAttribute("href"));
    }
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const now = next.getElementById(part.id);
      if (now !== null) {
        put(part, now);
      }
    }
  };

  if (document.querySelector("[data-live]") !== null) {
    setInterval(() => { lookOnce().catch(() => { stale.hidden = false; }); }, PERIOD_MS);
  }
})();

// Copies what a button names. A page that was opened over plain HTTP from elsewhere may not.
(() => {
  if (navigator.clipboard !== undefined) {
    document.documentElement.classList.add("copies");
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (button) {
      button.blur();
      navigator.clipboard.writeText(button.dataset.copy).then(() => {
        button.classList.add("copied");
        setTimeout(() => button.classList.remove("copied"), 1500);
      }, () => {});
    }
  });
})();

// Draws a secret into its field: when the button is pressed, when a scheme is chosen that needs one and there is
// none yet, or when an endpoint's is to be replaced. When it is saved, the next page shows it once; a form that
// was refused has it again.
(() => {
  const KEPT = "hookbox-drawn";
  const store = (value) => { try { sessionStorage.setItem(KEPT, value); } catch { /* it was in sight */ } };
  const take = () => {
    try {
      const value = sessionStorage.getItem(KEPT);
      sessionStorage.removeItem(KEPT);
      return value;
    } catch { return null; }
  };
  // What was drawn can be read, what somebody types cannot.
  const cover = (field) => { field.type = field.value !== "" && field.value === field.dataset.drawn ? "text" : "password"; };
  const put = (field, value) => {
    field.value = value;
    field.dataset.drawn = value;
    cover(field);
  };
  const draw = (field, scheme) => {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    // Standard Webhooks, "Signature scheme", has secrets as base64 behind a prefix.
    put(field, scheme === "standard"
      ? `whsec_${btoa(String.fromCharCode(...bytes))}`
      : Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
  };

  const kept = take();
  const shown = document.getElementById("drawn");
  if (kept !== null && shown !== null) {
    shown.hidden = false;
    shown.querySelector("code").textContent = kept;
    shown.querySelector("button").dataset.copy = kept;
  }
  for (const button of document.querySelectorAll("button[data-draw]")) {
    const field = document.getElementById(button.dataset.draw);
    const choice = field.form.querySelector("select[name=sign], select[name=kind]");
    const scheme = () => button.dataset.scheme ?? choice?.value;
    const isFree = () => field.value === "" || field.value === field.dataset.drawn;
    // A chat has a secret of its own, and so may whoever sends to a source; one that is kept stays.
    const isWanted = () => !["none", undefined].includes(scheme());
    const isKept = field.placeholder !== "";
    const mayDraw = field.form.querySelector("select[name=sign]") !== null && !isKept;
    button.hidden = false;
    button.addEventListener("click", () => { draw(field, scheme()); field.select(); });
    field.addEventListener("input", () => cover(field));
    choice?.addEventListener("change", () => {
      if (mayDraw && isFree()) {
        if (isWanted()) { draw(field, scheme()); } else { put(field, ""); }
      }
    });
    if (button.dataset.unfolds !== undefined) {
      field.closest("details")?.addEventListener("toggle", () => {
        if (isFree() && isWanted()) { draw(field, scheme()); }
      }, { once: true });
    }
    // Only a form that was refused requires it: a form that is shown anew has no need of what was drawn elsewhere.
    if (kept !== null && field.required && new URL(field.form.action).pathname === location.pathname) {
      put(field, kept);
      field.parentElement.querySelector(".again")?.remove();
    }
    field.form.addEventListener("submit", () => {
      if (field.value !== "" && field.value === field.dataset.drawn) { store(field.value); }
    });
  }
})();

// A new endpoint is called after its host, unless somebody calls it otherwise.
(() => {
  const url = document.querySelector('form[action="/endpoints"] [name=url]');
  const name = url?.form.querySelector("[name=name]");
  let given = "";
  url?.addEventListener("input", () => {
    if (name.value === given && URL.canParse(url.value)) {
      const host = new URL(url.value).hostname.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "").slice(0, 60);
      const taken = new Set([...document.querySelectorAll("#endpoints td a")].map((link) => link.textContent));
      given = host;
      for (let number = 2; taken.has(given); number += 1) { given = `${host}-${number}`; }
      name.value = given;
    }
  });
})();

// In one row of a phone, where one is stands in sight.
document.querySelector("header nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// Ticks all the boxes of a form at once.
(() => {
  const boxes = (all) => document.querySelectorAll(`input[name=id][form="${all.dataset.all}"]`);

  document.addEventListener("change", (event) => {
    const all = event.target;
    if (all.dataset?.all !== undefined) {
      boxes(all).forEach((box) => { box.checked = all.checked; });
      return;
    }
    for (const other of document.querySelectorAll("[data-all]")) {
      const those = [...boxes(other)];
      other.checked = those.length > 0 && those.every((box) => box.checked);
    }
  });
  // Without a box that is ticked there is nothing to replay.
  const tell = () => {
    for (const button of document.querySelectorAll("#chosen button")) {
      button.disabled = document.querySelector("input[name=id][form=chosen]:checked") === null;
    }
  };
  document.addEventListener("change", tell);
  window.addEventListener("pageshow", tell);
  tell();
  document.documentElement.classList.add("scripted");
})();

// Single keys, outside of fields: they can be turned off, and stay so in this browser.
(() => {
  const OFF = "hookbox-keys-off";
  const list = document.getElementById("keys");
  const open = document.getElementById("keys-open");
  const on = document.getElementById("keys-on");
  if (list === null || open === null || on === null) {
    return;
  }
  const stored = () => { try { return localStorage.getItem(OFF); } catch { return null; } };
  const store = (off) => {
    try { if (off) { localStorage.setItem(OFF, "1"); } else { localStorage.removeItem(OFF); } } catch { /* it holds for this page */ }
  };
  on.checked = stored() === null;
  on.addEventListener("change", () => store(!on.checked));
  open.hidden = false;
  open.addEventListener("click", () => list.showModal());

  const rows = () => [...document.querySelectorAll("table.rows tbody tr:not(.date)")];
  const linkOf = (row) => row?.querySelector("td.what a") ?? row?.querySelector("a") ?? null;
  const here = () => document.activeElement?.closest("table.rows tbody tr") ?? null;

  const step = (by) => {
    const all = rows();
    const at = all.indexOf(here());
    const next = at === -1 ? (by > 0 ? 0 : all.length - 1) : at + by;
    linkOf(all[next])?.focus();
  };

  const actions = {
    j: () => step(1),
    k: () => step(-1),
    o: () => linkOf(here())?.click(),
    x: () => here()?.querySelector("input[type=checkbox]")?.click(),
    "/": () => [...document.querySelectorAll("form.filters input, form.filters select")]
      .find((field) => field.type !== "hidden" && field.offsetParent !== null)?.focus(),
    "?": () => list.showModal(),
  };

  const GO_MS = 1500;
  let goesUntil = 0;
  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog") ?? null;
    if (!on.checked || inField !== null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      // Only from row to row: elsewhere they scroll.
      if (here() !== null) {
        event.preventDefault();
        step(event.key === "ArrowDown" ? 1 : -1);
      }
      return;
    }
    if (event.timeStamp < goesUntil) {
      goesUntil = 0;
      const place = [...list.querySelectorAll("[data-key]")].find((link) => link.dataset.key === event.key);
      if (place !== undefined) {
        event.preventDefault();
        location.assign(place.href);
      }
      return;
    }
    if (event.key === "g") {
      goesUntil = event.timeStamp + GO_MS;
      return;
    }
    const action = actions[event.key];
    if (action !== undefined) {
      event.preventDefault();
      action();
    }
  });
})();
