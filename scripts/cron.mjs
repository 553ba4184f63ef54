// Cron schedules as the platform reads them: five fields, in UTC, days of the week from 1 (Sunday) to 7 or by name.
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIELDS = [
  { name: "minute", from: 0, to: 59 },
  { name: "hour", from: 0, to: 23 },
  { name: "day of the month", from: 1, to: 31 },
  { name: "month", from: 1, to: 12, names: MONTHS },
  { name: "day of the week", from: 1, to: 7, names: DAYS },
];

/** Reads a schedule into a test of a moment: `matches(date)`, true in each minute in which it fires. */
export function parseCron(text) {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== 5) throw new Error(`cron "${text}": five fields are needed, not ${parts.length}`);
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, index) => parseField(parts[index], field, text));
  // As in every cron: where both kinds of day are restricted, either is enough.
  const anyDay = parts[2] === "*" || parts[4] === "*";
  return (date) => {
    const day = days.has(date.getUTCDate());
    const weekday = weekdays.has(date.getUTCDay() + 1);
    return minutes.has(date.getUTCMinutes()) && hours.has(date.getUTCHours()) && months.has(date.getUTCMonth() + 1) && (anyDay ? day && weekday : day || weekday);
  };
}

function parseField(text, { name, from, to, names = [] }, cron) {
  const number = (word) => {
    const value = names.includes(word.toUpperCase()) ? names.indexOf(word.toUpperCase()) + 1 : /^\d+$/.test(word) ? Number(word) : NaN;
    if (!(value >= from && value <= to)) throw new Error(`cron "${cron}": "${word}" is no ${name} (${from} to ${to})`);
    return value;
  };
  const values = new Set();
  for (const item of text.split(",")) {
    const [range, step] = item.split("/");
    if (step !== undefined && !(Number(step) > 0)) throw new Error(`cron "${cron}": "${item}" has no valid step`);
    const [low, high] = range === "*" ? [from, to] : range.split("-").map(number);
    const end = high ?? (step === undefined ? low : to);
    if (end < low) throw new Error(`cron "${cron}": the range "${range}" runs backwards`);
    for (let value = low; value <= end; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

/**
 * Calls `fire(job, date)` for each job whose schedule matches, at the start of every minute, until
 * the returned function is called. `jobs` are objects with a `cron`.
 */
export function runCrons(jobs, fire, { now = Date.now, wait = setTimeout, cancel = clearTimeout } = {}) {
  const parsed = jobs.map((job) => ({ job, matches: parseCron(job.cron) }));
  let minute = Math.floor(now() / 60_000);
  let timer;
  const tick = () => {
    // A machine that slept runs the minute it wakes in, as the platform does: missed ones are not made up for.
    const current = Math.floor(now() / 60_000);
    if (current > minute) {
      minute = current;
      const date = new Date(minute * 60_000);
      for (const { job, matches } of parsed) if (matches(date)) fire(job, date);
    }
    timer = wait(tick, (minute + 1) * 60_000 - now() + 5);
  };
  timer = wait(tick, (minute + 1) * 60_000 - now() + 5);
  return () => cancel(timer);
}
