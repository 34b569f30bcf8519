// Runs inside a page and returns what is wrong with it as it stands: a list of [kind, detail].
() => {
  const found = [];
  const short = (text) => text.replace(/\s+/g, " ").trim().slice(0, 80);
  const name = (element) => {
    const classes = typeof element.className === "string" ? element.className.trim().split(/\s+/).filter(Boolean) : [];
    return [element.tagName.toLowerCase(), ...classes.slice(0, 2)].join(".") + ` "${short(element.textContent)}"`;
  };
  const shown = (element) => element.getClientRects().length > 0;

  // Formulas: every place of mathematics was typeset, without an error, and no source is left in the text.
  for (const place of document.querySelectorAll("div.math, span.math"))
    if (!place.querySelector("mjx-container")) found.push(["formula", `not typeset: ${short(place.textContent)}`]);
  for (const error of document.querySelectorAll("mjx-merror, [data-mml-node='merror']")) {
    const text = error.getAttribute("data-mjx-error") || error.getAttribute("title") || error.textContent;
    const place = error.closest("p, li, td, div");
    found.push(["formula", `${short(text)} in "${place ? short(place.textContent) : ""}"`]);
  }
  for (const unknown of document.querySelectorAll("mjx-container [data-mml-node='mtext'][fill='red']"))
    found.push(["formula", `an unknown command in "${short(unknown.closest("p, li, td, div").textContent)}"`]);
  for (const number of document.querySelectorAll(".eqno")) {
    const picture = number.parentElement.querySelector("mjx-container > svg");
    const [a, b] = [number.getBoundingClientRect(), (picture || number).getBoundingClientRect()];
    if (picture && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      found.push(["formula", `number ${short(number.textContent)} stands on its formula`]);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.closest("code, pre, script, style, mjx-container, textarea")) continue;
    const left = walker.currentNode.data.match(/\$\$|\\\(|\\\[|\\(frac|sum|int|log|theta|mathbb|mathrm|begin)\b/);
    if (left) found.push(["formula", `source in the text: ${short(walker.currentNode.data)}`]);
    if (/\|\s*(-{3,}|—|–)\s*\|/.test(walker.currentNode.data)) found.push(["table", `source in the text: ${short(walker.currentNode.data)}`]);
  }

  // Pictures: loaded, and described by more than the name of a file.
  for (const image of document.images) {
    const source = image.src.startsWith("data:") ? "embedded" : image.src.split("/").pop();
    const alt = image.alt.trim();
    if (image.complete && image.naturalWidth === 0) found.push(["picture", `${source} is not shown`]);
    if (!alt || /\.(png|svg|jpe?g|gif)$/i.test(alt)) found.push(["picture", `${source} has no alternative text`]);
  }

  // Width: a phone is told to use its own, the page does not scroll sideways, and nothing that is shown is cut off.
  const viewport = document.querySelector("meta[name='viewport']");
  if (!viewport || !viewport.content.includes("width=device-width"))
    found.push(["width", "no <meta name=viewport content='width=device-width'>: phones show it as wide as a desk"]);
  const width = document.documentElement.clientWidth;
  const wide = document.scrollingElement.scrollWidth;
  if (wide > width + 1) found.push(["width", `the page is ${wide} px wide in a window of ${width} px`]);
  const held = (element) => {
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up);
      const scrolls = ["auto", "scroll"].includes(style.overflowX) && up.getBoundingClientRect().right <= width + 1;
      if (scrolls && !up.querySelector("h1, h2, h3")) return true; // a box with headings is the page, not a thing on it
      if (style.position === "fixed") return true;
    }
    return false;
  };
  let last = null;
  for (const element of document.body.querySelectorAll("table, pre, img, svg, p, li, dt, h1, h2, h3, mjx-container, canvas")) {
    const box = element.getBoundingClientRect();
    if (!shown(element) || box.width <= 1 || box.right <= width + 1 || box.left >= width) continue;
    if ((last && last.contains(element)) || held(element) || getComputedStyle(element).position === "fixed") continue;
    last = element;
    found.push(["width", `${Math.round(box.right)} of ${width} px: ${name(element)}`]);
  }

  // Links inside the page lead somewhere.
  for (const link of document.querySelectorAll("a[href^='#']")) {
    const id = decodeURIComponent(link.getAttribute("href").slice(1));
    if (id && !document.getElementById(id) && !document.getElementsByName(id).length) found.push(["link", `#${id} is nowhere`]);
  }
  return found;
}
