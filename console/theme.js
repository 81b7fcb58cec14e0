// Sets the chosen theme before the first paint. Without a choice, the system's preference holds.
try {
  const theme = localStorage.getItem("upcall-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is blocked: the system's preference holds
}
