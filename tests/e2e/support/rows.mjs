// Questions to D1 while the Workers run.
//
// They go through a Worker of their own. A binding that is held from outside halts this process until the runtime
// answers; the runtime meanwhile waits for this process to read its log, once that has filled its pipe. Under load each
// then waits for the other for ever.

/** Asks with `fetch(init)`, which reaches sql-worker.mjs. Resolves to the rows. */
export const rowsBy = (fetch) => async (sql, ...values) => {
  const response = await fetch({ method: "POST", body: JSON.stringify({ sql, values }) });
  if (!response.ok) throw new Error(`${await response.text()}, asked: ${sql}`);
  return response.json();
};
