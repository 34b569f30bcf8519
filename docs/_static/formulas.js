// Mark formulas that don't fit their line, or that run into their number: pages.css says how they are shown.
function markWideFormulas() {
  const formulas = [...document.querySelectorAll("mjx-container")];
  for (const formula of formulas) {
    formula.classList.remove("wide");
    formula.parentElement.classList.remove("wide");
  }
  const wide = formulas.map((formula) => {
    const box = formula.querySelector("svg").getBoundingClientRect();
    const number = formula.parentElement.querySelector(".eqno");
    if (formula.hasAttribute("display")) return number && box.right > number.getBoundingClientRect().left ? formula.parentElement : null;
    const block = formula.closest("p, li, dd, dt, h1, h2, h3, h4");
    return block && box.width > block.clientWidth ? formula : null;
  });
  wide.filter(Boolean).forEach((element) => element.classList.add("wide"));
}

window.addEventListener("load", () =>
  window.MathJax?.startup?.promise.then(() => {
    markWideFormulas();
    window.addEventListener("resize", markWideFormulas);
  }),
);
