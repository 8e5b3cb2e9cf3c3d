// For those who use a keyboard or hear a page, and for those who read on a
// telephone.
(() => {
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];

  // A name in a table breaks between its words, and only there.
  for (const code of all("table td code")) {
    const words = code.textContent.split(/(?<=_|::|\.|[a-z](?=[A-Z]))/);
    code.replaceChildren(...words.flatMap((word, index) =>
      index ? [document.createElement("wbr"), word] : [word]));
    code.classList.add("in-words");
  }

  // On a narrow page a row of sentences becomes a list: each cell says which
  // column it is. Rows of numbers stay rows, and scroll. The roles remain if
  // the style changes what is displayed.
  for (const table of all(".table-wrapper > table")) {
    const heads = all("thead th", table).map((it) => it.textContent);
    const longest = Math.max(...all("td", table)
      .map((it) => it.textContent.length));
    if (heads.length > 5) table.classList.add("scrolls");
    if (heads.length < 3 || heads.length > 5 || longest < 16) continue;
    table.classList.add("stacks");
    const roles = { thead: "rowgroup", tbody: "rowgroup", tr: "row",
      th: "columnheader", td: "cell" };
    table.setAttribute("role", "table");
    for (const [name, role] of Object.entries(roles)) {
      all(name, table).forEach((it) => it.setAttribute("role", role));
    }
    for (const row of all("tbody tr", table)) {
      [...row.cells].forEach((cell, at) => { cell.dataset.head = heads[at]; });
    }
  }

  // What is wider than its box can be scrolled without a mouse, and fades where
  // it goes on.
  const boxes = all("pre > code, .table-wrapper, .zt-scroll, .zt-steps");
  const fade = (it) => it.classList.toggle("goes-on",
    it.scrollWidth - it.clientWidth - it.scrollLeft > 2);
  const mark = () => boxes.forEach((it) => {
    const isWide = it.scrollWidth > it.clientWidth;
    if (isWide || it.scrollHeight > it.clientHeight) it.tabIndex = 0;
    fade(it);
  });
  mark();
  addEventListener("resize", mark);
  boxes.forEach((it) => it.addEventListener("scroll", () => fade(it)));
  all("details").forEach((it) => it.addEventListener("toggle", mark));

  // The label that opens the table of contents is a button.
  const toggle = document.getElementById("mdbook-sidebar-toggle");
  if (toggle) toggle.setAttribute("role", "button");

  // Each part of the table of contents folds; this page's is open.
  for (const part of all("#mdbook-sidebar .part-title")) {
    const items = [];
    for (let it = part.nextElementSibling; it && !it.matches(".part-title");
      it = it.nextElementSibling) items.push(it);
    const button = document.createElement("button");
    button.textContent = part.textContent;
    part.replaceChildren(button);
    const fold = (isOpen) => {
      button.setAttribute("aria-expanded", isOpen);
      items.forEach((it) => { it.hidden = !isOpen; });
    };
    fold(items.some((it) => it.querySelector(".active")));
    button.addEventListener("click", () =>
      fold(button.getAttribute("aria-expanded") === "false"));
  }

  // The pages before and after this one, by name.
  const names = new Map(all("#mdbook-sidebar a[href]")
    .map((it) => [it.href, it.textContent.replace(/^[\d.]+ /, "")]));
  for (const link of all(".nav-wrapper a, .nav-wide-wrapper a")) {
    const name = names.get(link.href);
    if (!name) continue;
    const which = link.rel === "prev" ? "Previous" : "Next";
    link.setAttribute("aria-label", `${which}: ${name}`);
    link.title = name;
    if (link.closest(".nav-wrapper")) link.replaceChildren(`${which}: ${name}`);
  }
  all(".nav-wide-wrapper").forEach((it) =>
    it.setAttribute("aria-label", "Beside the page"));
})();
