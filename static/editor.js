// Small comforts of the rule editor, which works without them: the count of SMS segments while typing, and
// the previews.
(() => {
  "use strict";

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

  followText();
  followEditor();
})();
