// Files of the archive.
import type { ArchiveFile } from "../api/types.ts";

/** `….late-2.jsonl.gz` is the second supplement; the day's own file is number 0. */
export function supplementOf(path: string): number {
  return Number(path.match(/\.late-(\d+)\./)?.[1] ?? 0);
}

/** Events by hour of the day, 24 numbers. A file in another format holds the same events, and is not counted again. */
export function hourSums(files: readonly ArchiveFile[]): number[] {
  const first = files[0]?.format;
  const sums = Array.from({ length: 24 }, () => 0);
  for (const file of files) {
    if (file.format !== first) continue;
    for (const [hour, count] of Object.entries(file.hours)) {
      const index = Number(hour.slice(-2));
      if (index in sums) sums[index] = (sums[index] ?? 0) + count;
    }
  }
  return sums;
}
