// Before the first paint: a chosen theme, so that the page does not flash in the other.
try {
  const theme = localStorage.getItem("pathstats.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's theme it is.
}
