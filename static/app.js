// Small comforts; every page works without them: menus that close by themselves, copy buttons, the
// live history.
(() => {
  "use strict";

  // A menu closes with Esc, which gives the focus back to its button, and when anything else is clicked.
  const armMenus = () => {
    const opened = () => document.querySelectorAll("details.menu[open], details.switcher[open]");
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const menu of opened()) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
    document.addEventListener("click", (event) => {
      for (const menu of opened()) {
        if (!menu.contains(event.target)) menu.open = false;
      }
    });
  };

  // A new company is where its owner's browser is, unless they choose otherwise.
  const guessPlace = () => {
    const place = document.querySelector("[data-guess-place]");
    if (!place || document.querySelector("[aria-invalid]")) return;
    const choose = (name, value) => {
      const select = place.querySelector(`select[name="${name}"]`);
      if (select && value && [...select.options].some((o) => o.value === value)) select.value = value;
    };
    try {
      choose("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
      choose("country", new Intl.Locale(navigator.language).maximize().region);
    } catch {
      // The form says what stands in it.
    }
  };

  // Copy buttons are hidden until a script can serve them.
  const armCopyButtons = (root) => {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      const word = button.textContent;
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        if (!source) return;
        try {
          await navigator.clipboard.writeText(source.textContent.trim());
          button.textContent = "Copied";
        } catch {
          button.textContent = "Select and copy";
        }
        setTimeout(() => { button.textContent = word; }, 2000);
      });
    }
  };

  // A part of a page that moves by itself is fetched again and replaced where it changed, until the
  // server no longer marks it.
  const LIVE_EVERY_MS = 5000;
  const followLive = () => {
    const live = document.querySelector("[data-live]");
    if (!live) return;
    for (const sign of document.querySelectorAll("[data-live-sign]")) sign.hidden = false;
    for (const other of document.querySelectorAll("[data-live-else]")) other.hidden = true;
    let busy = false;
    let stopped = false;
    const refresh = async () => {
      const reading = live.contains(document.activeElement) || !getSelection().isCollapsed;
      if (busy || stopped || document.hidden || reading) return;
      busy = true;
      try {
        const answer = await fetch(live.dataset.liveFrom ?? location.href, { credentials: "same-origin", redirect: "error" });
        if (answer.status === 401 || answer.status === 403 || answer.status === 404) stopped = true;
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(live.id);
        if (!fresh) return;
        stopped = !("live" in fresh.dataset);
        // What the reader opened stays open.
        const opened = [...live.querySelectorAll("details")].map((d) => d.open);
        fresh.querySelectorAll("details").forEach((d, at) => { d.open = opened[at] ?? d.open; });
        if (fresh.innerHTML !== live.innerHTML) live.replaceChildren(...fresh.childNodes);
        // A list that changes is told in one sentence, not read out again.
        const said = document.getElementById(`${live.id}-said`);
        const news = fresh.dataset.liveSaid;
        if (said && news && said.textContent !== news) said.textContent = news;
      } catch {
        // The next round tries again.
      } finally {
        busy = false;
      }
    };
    setInterval(refresh, Number(live.dataset.liveEvery) || LIVE_EVERY_MS);
  };

  armMenus();
  guessPlace();
  armCopyButtons(document);
  followLive();
})();
