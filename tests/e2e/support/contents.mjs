// Everything that the product stores and tells, as text, to be searched for what must not be there.

/** All rows of all tables of the database; BLOBs as the characters of their bytes. */
export async function databaseText(product) {
  const tables = await product.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'");
  const texts = [];
  for (const { name } of tables) {
    for (const row of await product.rows(`SELECT * FROM "${name}"`)) texts.push(`${name} ${JSON.stringify(row, asText)}`);
  }
  return texts.join("\n");
}

const asText = (_, value) => {
  const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  const isBytes = ArrayBuffer.isView(bytes) || (Array.isArray(bytes) && bytes.every(Number.isInteger));
  return isBytes ? Buffer.from(bytes).toString("latin1") : value;
};

/** All lines that the Workers logged. */
export const logText = (product) => product.harness.getLogs().map(({ message }) => message).join("\n");

/** Everything in the database, KV and R2, as text: what is equal before and after was not touched. The audit is left out. */
export async function storesText(product) {
  const { KV } = await product.worker("api").getEnv();
  const { R2_ARCHIVE } = await product.worker("archiver").getEnv();
  const keys = (await KV.list()).keys.map(({ name }) => name);
  const values = await Promise.all(keys.map(async (name) => `KV ${name} ${await KV.get(name)}`));
  const objects = (await R2_ARCHIVE.list()).objects.map(({ key, etag, size }) => `R2 ${key} ${etag} ${size}`);
  const rows = (await databaseText(product)).split("\n").filter((line) => !line.startsWith("audit_log "));
  return [...rows, ...values, ...objects].join("\n");
}
