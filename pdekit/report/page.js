// Where to go, from the headings that there are.
{
  const nav = document.querySelector("nav");
  for (const heading of document.querySelectorAll("h2[id]")) {
    if (heading.closest(".spare")) continue;
    const link = document.createElement("a");
    link.setAttribute("href", `#${heading.id}`);
    link.textContent = heading.textContent;
    nav.append(link);
  }
  nav.hidden = false;
}

// Choices show one of their parts at a time, by one menu for each kind of choice. Without this script all parts are shown.
// Where there is room for several charts, the same choice stands there several times, each with another chart at first.
for (const choice of document.querySelectorAll(".choice[data-side]")) {
  const kinds = new Set([...choice.querySelectorAll(":scope > .part")].map((part) => JSON.parse(part.dataset.choice)[0]));
  const row = document.createElement("div");
  row.className = choice.dataset.side === "2" ? "side two" : "side";
  choice.before(row);
  for (let n = 0; n < Math.min(+choice.dataset.side, kinds.size); n++) {
    const copy = choice.cloneNode(true);
    const start = JSON.parse(copy.dataset.start);
    if (n || !start[0]) start[0] = [...kinds][n];
    copy.dataset.start = JSON.stringify(start);
    row.append(copy);
  }
  choice.remove();
}
for (const [n, choice] of document.querySelectorAll(".choice").entries()) {
  const labels = JSON.parse(choice.dataset.labels);
  const parts = [...choice.querySelectorAll(":scope > .part")].map((part) => [part, JSON.parse(part.dataset.choice)]);
  const menus = document.createElement("p");
  menus.className = "menus";
  const selects = labels.map((label, key) => {
    const words = [...new Set(parts.map(([, choice]) => choice[key]))];
    const select = document.createElement("select");
    select.id = `choice-${n}-${key}`;
    for (const word of words) select.add(new Option(word, word));
    if (words.length > 1) {
      const named = document.createElement("label");
      named.append(label, " ", select);
      menus.append(named);
    }
    return select;
  });
  const fits = (choice, keys) => keys.every((key) => choice[key] === selects[key].value);
  const keys = labels.map((_, key) => key);
  // a pair that does not exist gives way to the first one that has what was chosen last
  const show = (last) => {
    const found = parts.find(([, choice]) => fits(choice, keys)) ?? parts.find(([, choice]) => fits(choice, [last]));
    for (const [part, choice] of parts) {
      part.hidden = choice !== found[1];
      if (!part.hidden) choice.forEach((word, key) => { selects[key].value = word; });
    }
  };
  for (const key of keys) selects[key].addEventListener("change", () => show(key));
  if (menus.childElementCount) choice.prepend(menus);
  JSON.parse(choice.dataset.start ?? "[]").forEach((word, key) => { if (word !== null) selects[key].value = word; });
  choice.classList.add("live");
  show(0);
}

// What is folded is printed too.
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((details) => {
  details.open = true;
  details.dataset.unfolded = "";
}));
addEventListener("afterprint", () => document.querySelectorAll("details[data-unfolded]").forEach((details) => {
  details.open = false;
  delete details.dataset.unfolded;
}));
