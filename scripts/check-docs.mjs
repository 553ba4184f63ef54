// Holds the docs against the project: commands they name exist, options exist, paths exist, links lead somewhere.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { help, main, run } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { ROOT } from "./paths.mjs";

/** Folders of this repository: text in backticks that begins with one of them is a path that must exist. */
const FOLDERS = ["crates", "docs", "examples", "migrations", "scripts", "tests", "workers", "wrangler", ".ci"];
/** What only a run makes. */
const MADE = /(^|\/)(build|target|node_modules|\.state|\.tools)(\/|$)/;

/** Names of the recipes in a justfile. */
export function recipesIn(justfile) {
  return new Set([...justfile.matchAll(/^([a-z][\w-]*)(?:[ \t]+[^:\n]*)?:(?!=)/gm)].map((match) => match[1]));
}

/**
 * Commands, paths and links that a Markdown text names. Commands are taken from code only: prose may say "just do it".
 */
export function namedIn(markdown) {
  const blocks = [...markdown.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].map((match) => match[1]);
  const prose = markdown.replace(/^```[^\n]*\n[\s\S]*?^```/gm, "");
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);
  const lines = [...blocks.flatMap((block) => block.replace(/\\\n\s*/g, " ").split("\n")), ...spans];
  const recipes = lines.flatMap((line) => [...line.matchAll(/(?:^|[\s;&|$(])(?:npx -y rust-just|just) ([a-z][\w-]*)/g)].map((match) => match[1]));
  const programs = lines.flatMap((line) => [...line.matchAll(/(?:^|[\s;&|(/])pathstats (archive [a-z]+|[a-z][\w-]*)([^|;&#]*)/g)])
    .map(([, subcommand, rest]) => ({ subcommand, flags: rest.match(/(?<=\s)--[a-z][\w-]*/g) ?? [] }));
  const paths = spans.filter((span) => FOLDERS.some((folder) => span.startsWith(`${folder}/`)) && !/[\s*<>{}$…]|\b[A-Z]{4,}\b/.test(span));
  const links = [...prose.replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]).filter((link) => !/^([a-z]+:|#)/.test(link));
  return { recipes, programs, paths, links };
}

/** What is wrong in README.md and docs, one line a problem. */
export async function checkDocs(root = ROOT) {
  const docs = existsSync(join(root, "docs")) ? readdirSync(join(root, "docs"), { recursive: true }).map((name) => join(root, "docs", String(name))) : [];
  const files = [join(root, "README.md"), ...docs].filter((file) => file.endsWith(".md") && existsSync(file));
  if (files.length === 0) return ["README.md is missing"];
  const recipes = recipesIn(readFileSync(join(root, "justfile"), "utf8"));
  const helpOf = rememberedHelp(root);
  const problems = [];
  for (const file of files) {
    const found = namedIn(readFileSync(file, "utf8"));
    const say = (text) => problems.push(`${relative(root, file)}: ${text}`);
    for (const recipe of new Set(found.recipes)) if (!recipes.has(recipe)) say(`\`just ${recipe}\`: the justfile has no such recipe`);
    for (const path of new Set(found.paths)) if (!MADE.test(path) && !existsSync(join(root, path.replace(/[:#].*$/, "")))) say(`\`${path}\` does not exist`);
    for (const link of new Set(found.links)) if (!existsSync(join(dirname(file), decodeURI(link.replace(/[#?].*$/, ""))))) say(`the link ${link} leads nowhere`);
    for (const { subcommand, flags } of found.programs.filter((program) => program.subcommand !== "help")) {
      const text = await helpOf(subcommand);
      if (text === undefined) say(`\`pathstats ${subcommand}\`: the program has no such command`);
      else for (const flag of flags) if (!new RegExp(`${flag}(?![\\w-])`).test(text)) say(`\`pathstats ${subcommand} ${flag}\`: the command has no such option`);
    }
  }
  return problems;
}

/** Asks the program for a command's help, each once. It is built at the first question. */
function rememberedHelp(root) {
  const known = new Map();
  return async (subcommand) => {
    if (!known.has(subcommand)) {
      const args = ["run", "--quiet", "--release", "--locked", "-p", "pathstats-cli", "--", ...subcommand.split(" "), "--help"];
      const { code, output } = await run("cargo", args, { cwd: root, env: toolEnvironment(), quiet: true });
      known.set(subcommand, code === 0 ? output : undefined);
    }
    return known.get(subcommand);
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(async (args) => {
    help(args, "Checks that the commands, options, paths and links in README.md and docs/ exist.\n\n  node scripts/check-docs.mjs");
    const problems = await checkDocs();
    problems.forEach((problem) => console.error(problem));
    console.log(problems.length ? `${problems.length} problems.` : "Every command, path and link in the docs exists.");
    return problems.length ? 1 : 0;
  });
}
