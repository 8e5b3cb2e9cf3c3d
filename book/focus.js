// For those who use a keyboard or hear a page: code that is wider than its box
// can be scrolled without a mouse, and the label that opens the table of
// contents is called a button, since it is one. And for those who read on a
// telephone.
(() => {
  // A name in a table breaks between its words, and only there.
  for (const code of document.querySelectorAll("table td code")) {
    const words = code.textContent.split(/(?<=_|::|\.|[a-z](?=[A-Z]))/);
    code.replaceChildren(...words.flatMap((word, index) =>
      index ? [document.createElement("wbr"), word] : [word]));
    code.classList.add("in-words");
  }
  const boxes = "pre > code, .table-wrapper, .zt-scroll, .zt-steps";
  const mark = () => document.querySelectorAll(boxes).forEach((it) => {
    const isWide = it.scrollWidth > it.clientWidth;
    if (isWide || it.scrollHeight > it.clientHeight) it.tabIndex = 0;
  });
  mark();
  addEventListener("resize", mark);
  document.querySelectorAll("details")
    .forEach((it) => it.addEventListener("toggle", mark));
  const toggle = document.getElementById("mdbook-sidebar-toggle");
  if (toggle) toggle.setAttribute("role", "button");
})();
