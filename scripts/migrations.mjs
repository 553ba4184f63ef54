// Applies D1 migrations: numbered .sql files, each once and whole, remembered in the table that wrangler uses too.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { unstable_splitSqlQuery as splitStatements } from "wrangler";
import { Failure } from "./command.mjs";
import { MIGRATIONS } from "./paths.mjs";

const TABLE = "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)";

/**
 * Brings a database up to date, or up to the file `last`, and resolves to the names of the files that it lacked.
 */
export async function applyMigrations(database, { folder = MIGRATIONS, last } = {}) {
  await database.prepare(TABLE).run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(results.map((row) => row.name));
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".sql")).sort() : [];
  const lacking = files.filter((name) => !applied.has(name) && (last === undefined || name <= last));
  for (const name of lacking) {
    const statements = splitStatements(readFileSync(join(folder, name), "utf8")).map((sql) => database.prepare(sql));
    // One batch is one transaction: a file that fails half-way leaves nothing behind.
    try {
      await database.batch([...statements, database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name)]);
    } catch (error) {
      throw new Failure(`${join(folder, name)}: ${error.message}. Nothing of it was applied.`);
    }
  }
  return lacking;
}
