// Brings a Rust compiler with the wasm32 target: rustup's where it can be had, otherwise one made of Debian's packages.
//
// The second way leaves rustup's toolchains alone. It installs Debian's compiler and its standard library's source,
// builds that library for wasm32 once, and puts a sysroot of links around both into .tools/rust.
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, answer, must, run } from "./command.mjs";
import { LOCAL_RUST, LOCAL_RUST_STAMP, wasmToolchain } from "./environment.mjs";
import { ROOT, TOOLS, WASM_TARGET } from "./paths.mjs";
import { readStamp, writeWhole } from "./stamp.mjs";

/** The compiler, its library's source, cargo, clippy. The linker comes on top: see `linker`. */
const PACKAGES = ["rustc-web", "rust-web-src", "cargo-web", "rust-web-clippy"];

/** Whether there is a usable target. The packages' compiler may have moved on since the library was built. */
export async function checkWasmTarget() {
  const toolchain = await wasmToolchain();
  if (toolchain === "rustup") return undefined;
  if (!toolchain) return `no ${WASM_TARGET} standard library`;
  const compiler = await answer(join(LOCAL_RUST, "bin", "rustc"), ["--version"]);
  return compiler && compiler === readStamp(LOCAL_RUST_STAMP) ? undefined : "the compiler changed since its wasm32 library was built";
}

/** Tries rustup, then Debian. */
export async function bringWasmTarget(say, log) {
  // A machine that cannot reach rustup's host says so at once, or hangs: hence the limit.
  const rustup = await run("rustup", ["target", "add", WASM_TARGET], { cwd: ROOT, quiet: true, timeoutSeconds: 120, log });
  if (rustup.code === 0 && (await wasmToolchain()) === "rustup") return;
  say(`rustup could not add ${WASM_TARGET} (${rustup.output.trim().split("\n").at(-1)}).`);
  if (!existsSync("/usr/bin/apt-get")) {
    throw new Failure(`\`rustup target add ${WASM_TARGET}\` failed, and this system has no apt-get for the other way. What rustup said: ${log}`);
  }
  say("Taking Debian's compiler instead, and building its standard library for wasm32. About 2 minutes.");
  const lld = await linker();
  await installPackages([...PACKAGES, lld], say, log);
  await makeSysroot(`/usr/bin/${lld}`, log);
}

/** The newest lld that the system has or offers. */
async function linker() {
  const offered = (await answer("apt-cache", ["search", "--names-only", "^lld-[0-9]+$"])) ?? "";
  const versions = [...offered.matchAll(/^lld-(\d+) /gm)].map((match) => Number(match[1]));
  return versions.length ? `lld-${Math.max(...versions)}` : "lld-19";
}

async function installPackages(packages, say, log) {
  const present = await answer("dpkg-query", ["-W", "-f", "${Status}\\n", ...packages]);
  if (present?.split("\n").every((status) => status === "install ok installed")) return;
  const root = process.getuid() === 0;
  const sudo = root ? [] : ["sudo", "-n"];
  if (!root && (await run("sudo", ["-n", "true"], { quiet: true })).code !== 0) {
    throw new Failure(`Debian packages are needed, and installing them needs root. Run: sudo apt-get install -y --no-install-recommends ${packages.join(" ")}`);
  }
  const apt = (...args) => {
    const [program, ...rest] = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...args];
    return must(program, rest, { quiet: true, log, label: `apt-get ${args[0]}` });
  };
  say(`Installing Debian packages: ${packages.join(" ")}`);
  await apt("update", "-q");
  await apt("install", "-y", "-q", "--no-install-recommends", ...packages);
}

/** Builds the standard library in a folder of its own, and moves the finished sysroot into place. */
async function makeSysroot(lld, log) {
  mkdirSync(TOOLS, { recursive: true });
  const scratch = mkdtempSync(join(TOOLS, "rust-new-"));
  try {
    const prefix = "/usr";
    const host = (await must(`${prefix}/bin/rustc`, ["--version", "--verbose"], { quiet: true })).output.match(/^host: (.+)$/m)[1];
    const debian = await answer(`${prefix}/bin/rustc`, ["--print", "sysroot"]);
    const sysroot = join(scratch, "rust");
    const rustlib = join(sysroot, "lib", "rustlib");
    mkdirSync(join(sysroot, "bin"), { recursive: true });
    mkdirSync(join(rustlib, host, "bin"), { recursive: true });
    mkdirSync(join(rustlib, WASM_TARGET, "lib"), { recursive: true });
    symlinkSync(join(debian, "lib", "rustlib", host, "lib"), join(rustlib, host, "lib"));
    symlinkSync(join(debian, "lib", "rustlib", "src"), join(rustlib, "src"));
    symlinkSync(lld, join(rustlib, host, "bin", "rust-lld"));
    for (const program of ["cargo", "cargo-clippy", "clippy-driver"]) symlinkSync(`${prefix}/bin/${program}`, join(sysroot, "bin", program));
    // The wrapper finds its sysroot by its own place, so the folder can be moved.
    for (const program of ["rustc", "rustdoc"]) {
      const script = join(sysroot, "bin", program);
      writeFileSync(script, `#!/bin/sh\nexec ${prefix}/bin/${program} --sysroot "$(dirname "$(dirname "$(readlink -f "$0")")")" "$@"\n`);
      chmodSync(script, 0o755);
    }
    await buildStandardLibrary(scratch, sysroot, join(rustlib, WASM_TARGET, "lib"), log);
    // What was compiled against another build of the standard library no longer links.
    rmSync(join(ROOT, "target", WASM_TARGET), { recursive: true, force: true });
    rmSync(LOCAL_RUST, { recursive: true, force: true });
    renameSync(sysroot, LOCAL_RUST);
    writeWhole(LOCAL_RUST_STAMP, await answer(join(LOCAL_RUST, "bin", "rustc"), ["--version"]));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function buildStandardLibrary(scratch, sysroot, into, log) {
  const empty = join(scratch, "empty");
  mkdirSync(join(empty, "src"), { recursive: true });
  writeFileSync(join(empty, "src", "lib.rs"), "");
  // Unwinding must be in the library for tests; programs choose to abort in their own profile.
  writeFileSync(join(empty, "Cargo.toml"), '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "unwind"\n[workspace]\n');
  const env = { ...process.env, RUSTC: join(sysroot, "bin", "rustc"), RUSTC_BOOTSTRAP: "1", CARGO_TARGET_DIR: join(empty, "target") };
  // Without bitcode in the library a program with `lto = true` does not link.
  env.RUSTFLAGS = "-Cembed-bitcode=yes";
  delete env.RUSTUP_TOOLCHAIN;
  const args = ["build", "-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test", "--target", WASM_TARGET, "--release"];
  await must(join(sysroot, "bin", "cargo"), args, { cwd: empty, env, quiet: true, log, label: "standard library for wasm32" });
  const made = join(empty, "target", WASM_TARGET, "release", "deps");
  for (const file of readdirSync(made)) {
    if (file.endsWith(".rlib") && !file.startsWith("libempty-")) cpSync(join(made, file), join(into, file));
  }
}
