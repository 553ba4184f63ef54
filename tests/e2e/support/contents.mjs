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
