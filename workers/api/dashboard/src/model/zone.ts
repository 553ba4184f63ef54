// Time zones, by what the platform knows of them. All moments are milliseconds since 1970.

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const parts = new Map<string, Intl.DateTimeFormat>();

/** Numbers that a clock and a calendar of the zone show at a moment. */
function shown(moment: number, zone: string): { year: number; month: number; day: number; hour: number; minute: number; second: number } {
  let format = parts.get(zone);
  if (!format) {
    const two = "2-digit";
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: two, day: two, hour: two, minute: two, second: two });
    parts.set(zone, format);
  }
  const found = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
  return { year: found.year ?? 0, month: found.month ?? 1, day: found.day ?? 1, hour: found.hour ?? 0, minute: found.minute ?? 0, second: found.second ?? 0 };
}

/** How far the zone is ahead of UTC at a moment. */
export function offsetAt(moment: number, zone: string): number {
  const { year, month, day, hour, minute, second } = shown(moment, zone);
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(moment / 1000) * 1000;
}

/** The moment at which the zone's clock shows this time; `wall` is that time as if it were UTC. */
export function momentOf(wall: number, zone: string): number {
  const guess = wall - offsetAt(wall, zone);
  // The offset may differ on the other side of a change of clocks.
  return wall - offsetAt(guess, zone);
}

/** Midnight of the day that a moment lies in, `days` days on. */
export function startOfDay(moment: number, zone: string, days = 0): number {
  const { year, month, day } = shown(moment, zone);
  return momentOf(Date.UTC(year, month - 1, day + days), zone);
}

/** The value of a `datetime-local` field: `2026-11-20T14:00`. */
export function toField(moment: number, zone: string): string {
  return new Date(moment + offsetAt(moment, zone)).toISOString().slice(0, 16);
}

/** The moment of a `datetime-local` field, or null when there is none. */
export function fromField(text: string, zone: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text)) return null;
  const wall = Date.parse(`${text}Z`);
  return Number.isNaN(wall) ? null : momentOf(wall, zone);
}

/** The name of the zone that this machine is in. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
