// For those who use a keyboard or hear a page: code that is wider than its box
// can be scrolled without a mouse, and the label that opens the table of
// contents is called a button, since it is one.
(() => {
  const mark = () => document.querySelectorAll("pre > code, .table-wrapper, figure")
    .forEach((it) => {
      if (it.scrollWidth > it.clientWidth) it.tabIndex = 0;
    });
  mark();
  addEventListener("resize", mark);
  document.querySelectorAll("details")
    .forEach((it) => it.addEventListener("toggle", mark));
  const toggle = document.getElementById("mdbook-sidebar-toggle");
  if (toggle) toggle.setAttribute("role", "button");
})();
