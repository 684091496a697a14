// Choosers show one view of their section at a time. Without this script all views are shown.
for (const chooser of document.querySelectorAll(".chooser")) {
  const views = chooser.closest("section").querySelectorAll("figure");
  const select = chooser.querySelector("select");
  const show = () => views.forEach((view, n) => { view.hidden = select.value !== "all" && +select.value !== n; });
  select.addEventListener("change", show);
  chooser.hidden = false;
  show();
}
addEventListener("beforeprint", () => document.querySelectorAll("figure[hidden]").forEach((view) => {
  view.hidden = false;
  view.dataset.unprinted = "";
}));
addEventListener("afterprint", () => document.querySelectorAll("figure[data-unprinted]").forEach((view) => {
  view.hidden = true;
  delete view.dataset.unprinted;
}));
