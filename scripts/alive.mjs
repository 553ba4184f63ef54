// Whether a process that left its number somewhere is still there.

/** True while the process lives, also when it is another user's. */
export function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
