// Small comforts; every page works without them: menus that close by themselves, copy buttons, the
// live history, the count of SMS segments while typing, the previews of the rule editor.
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

  // GSM 03.38: one septet, or two for the extension table; anything else makes it UCS-2.
  const GSM = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
  const GSM_EXTENSION = new Set("^{}\\[~]|€\f");
  const segmentsOf = (text) => {
    let septets = 0;
    const costs = [];
    for (const character of text) {
      const cost = GSM.has(character) ? 1 : GSM_EXTENSION.has(character) ? 2 : 0;
      if (cost === 0) {
        const units = [...text].map((c) => c.length);
        return { unicode: true, ...pack(units, 70, 67) };
      }
      septets += cost;
      costs.push(cost);
    }
    return { unicode: false, ...pack(costs, 160, 153), size: septets };
  };
  // A character is never split between two segments.
  const pack = (costs, single, multi) => {
    const size = costs.reduce((sum, cost) => sum + cost, 0);
    if (size === 0) return { size, segments: 0 };
    if (size <= single) return { size, segments: 1 };
    let segments = 1;
    let used = 0;
    for (const cost of costs) {
      if (used + cost > multi) { segments += 1; used = 0; }
      used += cost;
    }
    return { size, segments };
  };
  // Fields are shown by their sample values, so the count is near what will be sent. What has no
  // sample, such as a rarer filter, stays as typed.
  const fill = (source, values) =>
    source.replace(/\{\{\s*([A-Za-z_][\w.]*)\s*(\|\s*[a-z_]+)?\s*\}\}/g, (whole, name, filter) =>
      values[name + (filter ?? "").replace(/\s/g, "")] ?? whole);
  const followText = () => {
    for (const area of document.querySelectorAll("textarea[data-segments]")) {
      const values = {};
      for (const name of document.querySelectorAll("[data-sample-for]")) {
        values[name.dataset.sampleFor] = name.dataset.sample;
      }
      // A template with logic is only known to the server; its preview stays as rendered.
      const show = () => {
        const bubble = document.getElementById(area.dataset.segments);
        const count = document.getElementById(`${area.dataset.segments}-count`);
        if (area.value.includes("{%") || !bubble || !count) return;
        const text = fill(area.value, values);
        const { size, segments, unicode } = segmentsOf(text);
        bubble.textContent = text;
        count.textContent = `Costs about ${segments} ${segments === 1 ? "message" : "messages"}, ${size} characters${unicode ? ", Unicode" : ""}`;
      };
      area.addEventListener("input", show);
    }
  };

  // The editor shows only what its rule uses, and asks the server for its previews while somebody types.
  const PREVIEW_AFTER_MS = 600;
  const followEditor = () => {
    const form = document.querySelector("form[data-editor]");
    if (!form) return;
    const usesChannel = (channel) => form.elements.channel.value !== (channel === "sms" ? "email" : "sms");
    const arrange = () => {
      for (const part of form.querySelectorAll("[data-for-channel]")) {
        part.hidden = !usesChannel(part.dataset.forChannel);
      }
      for (const part of form.querySelectorAll("[data-for-recipient]")) {
        part.hidden = !part.dataset.forRecipient.split(" ").includes(form.elements.recipient.value);
      }
    };
    for (const other of form.querySelectorAll("[data-unscripted]")) other.hidden = true;
    arrange();
    const check = form.querySelector("#check");
    const show = form.querySelector("#show-email");
    if (!check || !show) return;
    // Each look is a frame of its own: one that is led on would fill the browser's history.
    let looks = 0;
    const frames = form.querySelector("#email-frames");
    const look = () => {
      const old = [...frames.children];
      const frame = old[0].cloneNode(false);
      looks += 1;
      frame.removeAttribute("src");
      frame.name = `email-look-${looks}`;
      frame.hidden = true;
      frames.append(frame);
      frame.addEventListener("load", () => {
        frame.hidden = false;
        for (const one of old) one.remove();
      });
      show.formTarget = frame.name;
      form.requestSubmit(show);
    };
    const ask = async () => {
      try {
        const answer = await fetch(check.formAction, {
          method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin", redirect: "error",
        });
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const id of ["sms-preview", "sms-notes", "email-facts"]) {
          const [own, fresh] = [document.getElementById(id), page.getElementById(id)];
          if (own && fresh && own.innerHTML !== fresh.innerHTML) own.replaceChildren(...fresh.childNodes);
        }
      } catch {
        // The next letter tries again.
      }
    };
    const refresh = () => {
      ask();
      if (usesChannel("email")) look();
    };
    let waiting = 0;
    const soon = () => {
      clearTimeout(waiting);
      waiting = setTimeout(refresh, PREVIEW_AFTER_MS);
    };
    form.addEventListener("input", (event) => {
      arrange();
      if (event.target.name !== "preview-width") soon();
    });
    if ("stale" in frames.dataset && usesChannel("email")) look();
  };

  armMenus();
  guessPlace();
  armCopyButtons(document);
  followLive();
  followText();
  followEditor();
})();
