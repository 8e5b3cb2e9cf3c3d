// For those who use a keyboard or hear a page: code that is wider than its box
// can be scrolled without a mouse, and the label that opens the table of
// contents is called a button, since it is one.
(() => {
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
