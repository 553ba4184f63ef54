/** Rows that gather requests of many paths. They have figures, but no single requests: those keep their own paths. */
export const isCatchAll = (path: string) => path === "(other)" || path === "(not found)";
