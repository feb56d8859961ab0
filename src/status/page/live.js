// Keeps what is shown up to date: asks for the same page now and then, and puts its live parts in
// the place of those that are shown, but for one that somebody is working in. Without it every page
// works as it stands.
"use strict";
(() => {
  const PERIOD_MS = 3000;
  let tag = null;

  const isInUse = (part) =>
    part.contains(document.activeElement) && document.activeElement !== document.body ||
    part.querySelector("input:checked") !== null;

  const openOnes = (part) =>
    [...part.querySelectorAll("details")].map((details) => details.open);

  const put = (part, next) => {
    if (part.innerHTML === next.innerHTML || isInUse(part)) {
      return;
    }
    const open = openOnes(part);
    const count = part.querySelectorAll("details").length;
    part.replaceChildren(...next.childNodes);
    const details = part.querySelectorAll("details");
    // Those that a person opened stay open; where there is a new one, the page says which are.
    if (details.length === count) {
      details.forEach((one, index) => { one.open = open[index]; });
    }
  };

  const look = async () => {
    if (document.hidden) {
      return;
    }
    const headers = tag === null ? {} : { "If-None-Match": tag };
    const reply = await fetch(location.href, { headers, cache: "no-store", redirect: "error" });
    if (reply.status !== 200) {
      return;
    }
    tag = reply.headers.get("ETag");
    const next = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const other = next.getElementById(part.id);
      if (other !== null) {
        put(part, other);
      }
    }
  };

  if (document.querySelector("[data-live]") !== null) {
    setInterval(() => { look().catch(() => {}); }, PERIOD_MS);
  }
})();
