// Steps from event to event, and zooms. Everything it shows stands on the page:
// the events in a list, each with the rows of the table that change with it.
for (const root of document.querySelectorAll(".zen-timeline:not([data-ready])")) {
    root.dataset.ready = "";
    const one = (selector) => root.querySelector(selector);
    const scroll = one(".zt-scroll"), now = one(".zt-now"), hover = one(".zt-hover");
    const list = one(".zt-steps"), texts = JSON.parse(list.dataset.texts);
    const steps = [...list.children];
    const cells = [...root.querySelectorAll(".zt-state td")];
    const time = one("svg.time"), chart = one(".zt-scroll svg.zt");
    const cursor = document.createElementNS(chart.namespaceURI, "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y2", "100%");
    time.append(cursor);
    let at = 0, zoom = 1;

    const middle = () => {
        const x = cursor.getBoundingClientRect().left - scroll.getBoundingClientRect().left;
        scroll.scrollLeft += x - scroll.clientWidth / 2;
    };
    const show = (index, moves) => {
        if (!steps.length) return;
        steps[at].removeAttribute("aria-current");
        at = Math.max(0, Math.min(steps.length - 1, index));
        const texted = cells.map(() => 0), changed = new Set();
        steps.slice(0, at + 1).forEach((step, index) => {
            for (const change of step.dataset.set.split(" ").filter(Boolean)) {
                const [row, text] = change.split(":");
                texted[row] = text;
                if (index === at) changed.add(+row);
            }
        });
        cells.forEach((cell, row) => {
            cell.textContent = texts[texted[row]];
            cell.parentElement.classList.toggle("changed", changed.has(row));
        });
        const step = steps[at];
        step.setAttribute("aria-current", "step");
        now.textContent = `Event ${at + 1} of ${steps.length}. ${step.textContent}`;
        for (const end of ["x1", "x2"]) cursor.setAttribute(end, step.dataset.x + "%");
        if (moves && zoom > 1) middle();
    };
    const zoomTo = (wanted) => {
        zoom = Math.max(1, Math.min(64, wanted));
        chart.style.width = `${100 * zoom}%`;
        middle();
    };
    const actions = {
        first: () => show(0, true),
        back: () => show(at - 1, true),
        next: () => show(at + 1, true),
        last: () => show(steps.length - 1, true),
        in: () => zoomTo(zoom * 2),
        out: () => zoomTo(zoom / 2),
        all: () => zoomTo(1),
    };
    const keys = {
        Home: "first", ArrowLeft: "back", ArrowRight: "next", End: "last",
        "+": "in", "=": "in", "-": "out", 0: "all",
    };

    root.addEventListener("click", (event) => {
        const action = event.target.closest("[data-do]");
        if (action) actions[action.dataset.do]();
        const step = event.target.closest(".zt-steps li");
        if (step) show(steps.indexOf(step), true);
    });
    const isOnScreen = () => {
        const box = scroll.getBoundingClientRect();
        return box.bottom > 0 && box.top < innerHeight;
    };
    // Before the page around it sees the key: mdBook turns pages by arrow keys.
    document.addEventListener("keydown", (event) => {
        const action = keys[event.key];
        if (!action || event.ctrlKey || event.altKey || event.metaKey) return;
        const isFocused = root.contains(event.target);
        const isFree = event.target === document.body && event.key.startsWith("Arrow");
        if (!isFocused && !(isFree && isOnScreen())) return;
        event.preventDefault();
        event.stopPropagation();
        actions[action]();
    }, true);
    chart.addEventListener("click", (event) => {
        // As wide as svg.rs makes the part that is placed by time.
        const box = chart.getBoundingClientRect();
        const x = 100 * (event.clientX - box.left - 10) / (0.965 * box.width);
        const next = steps.findIndex((step) => step.dataset.x > x);
        show((next < 0 ? steps.length : next) - 1, false);
    });
    chart.addEventListener("pointermove", (event) => {
        const span = event.target.closest("[data-says]");
        if (span) hover.textContent = span.dataset.says;
    });
    // What stands before a lane stays where it can be read.
    scroll.addEventListener("scroll", () => {
        chart.style.setProperty("--scroll", `${scroll.scrollLeft}px`);
    });
    for (const part of root.querySelectorAll("[hidden]")) part.hidden = false;
    show(0, false);
}
