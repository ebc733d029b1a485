// What a screen reader and weak eyes need, looked for in a page that is laid out: returns the faults.
() => {
  const faults = [];
  const say = (what, element) => faults.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length;
  const named = (ids) => (ids || "").split(" ").map((id) => document.getElementById(id)?.textContent || "");
  const labels = (e) => [...(e.labels || [])].map((label) => label.textContent).join("");
  const name = (e) => (e.getAttribute("aria-label") || labels(e)
    || named(e.getAttribute("aria-labelledby")).join("") || e.textContent).trim();
  for (const e of document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0'], [role=img]"))
    if (seen(e) && !name(e)) say("has no name", e);
  let before = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const level = Number(h.tagName[1]);
    if (level > before + 1) say("skips a level", h);
    before = level;
  }
  for (const n of ["main", "header", "footer", "nav", "h1"])
    if (document.querySelectorAll(n).length !== 1) faults.push(`not one ${n}`);
  for (const e of document.body.querySelectorAll("p, li, td, th, dt, dd, h1, h2, h3, caption, summary, label"))
    if (seen(e) && !e.closest("main, header, footer")) say("lies in no landmark", e);
  const channel = (v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const colour = (t) => { const n = t.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) return c;
    }
    return [255, 255, 255, 1];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !seen(e) || e.closest("svg, .skip")) continue;
    const [a, b] = [light(colour(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) say(`contrast ${((a + 0.05) / (b + 0.05)).toFixed(2)}`, e);
  }
  return faults;
}
