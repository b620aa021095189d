// Chooses light or dark before anything is drawn. A classic script, so that the page never flashes.
document.documentElement.dataset.theme =
  localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
