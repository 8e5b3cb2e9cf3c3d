// The page with the whole book, as a book on paper: a title page, the table of
// contents, and the answers at the end, not below their questions.
(() => {
  if (!location.pathname.endsWith("/print.html")) return;
  const main = document.querySelector("main");
  const make = (name, properties, ...children) => {
    const it = Object.assign(document.createElement(name), properties);
    it.append(...children);
    return it;
  };
  const titles = [...main.querySelectorAll(":scope > h1")];

  const answers = make("section", { className: "printed-answers" },
    make("h1", { id: "answers-to-the-questions" }, "Answers to the questions"),
    make("p", {}, "What is folded on the screen: the answers to the " +
      "predictions and to the questions below each summary, and what the lab saw."));
  let count = 0, chapter;
  for (const it of [...main.querySelectorAll("h1, details")]) {
    const question = it.querySelector("summary")?.textContent ?? "";
    if (it.matches("h1")) chapter = it.textContent;
    if (!question.startsWith("Show ")) continue;
    if (chapter) answers.append(make("h2", {}, chapter));
    chapter = null;
    count += 1;
    const link = make("a", { href: `#answer-${count}` }, `Answer ${count}`);
    it.replaceWith(make("p", { className: "answer-at" }, link, " is at the end of the book."));
    it.querySelector("summary").remove();
    answers.append(make("div", { id: `answer-${count}` }, make("b", {}, `${count}`), ...it.childNodes));
  }
  main.append(answers);

  // The table of contents at the side lists the same chapters, in this order.
  const list = document.querySelector("#mdbook-sidebar ol").cloneNode(true);
  const links = list.querySelectorAll("a[href]");
  links.forEach((it, at) => { it.href = `#${titles[at].id}`; });
  for (const it of [list, ...list.querySelectorAll("*")]) {
    it.hidden = false;
    it.className = it.matches(".part-title") ? "part" : "";
    if (it.matches("button")) it.replaceWith(it.textContent);
  }
  list.append(make("li", {}, make("a", { href: `#${answers.firstChild.id}` }, "Answers to the questions")));
  const [title, more] = document.querySelector(".menu-title").textContent.split(": ");
  const about = document.querySelector('meta[name="description"]').content;
  main.prepend(
    make("section", { className: "title-page" },
      make("p", { className: "title" }, title), make("p", {}, more), make("p", {}, about)),
    make("nav", { className: "contents", ariaLabel: "Contents" },
      make("h2", {}, "Contents"), list));
})();
