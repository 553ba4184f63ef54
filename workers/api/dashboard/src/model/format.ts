// Numbers and times as a person of the language reads them.
import type { Language } from "./place.ts";

export type Bounded = { value: number; low: number; high: number };

/** Dates as in 20 Nov, numbers as in 1.2M. */
const LOCALE: Record<Language, string> = { en: "en-GB", zh: "zh-CN" };
const NUMBERS: Record<Language, string> = { en: "en-US", zh: "zh-CN" };
const NONE = "–";
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export type Format = ReturnType<typeof makeFormat>;

export function makeFormat(language: Language, zone: string) {
  const locale = LOCALE[language];
  const numbers = NUMBERS[language];
  const whole = new Intl.NumberFormat(numbers, { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat(numbers, { notation: "compact", maximumSignificantDigits: 3 });
  const digits = [0, 1, 2, 3].map((count) => new Intl.NumberFormat(numbers, { minimumFractionDigits: count, maximumFractionDigits: count }));
  const shares = [0, 1, 2, 3].map((count) => new Intl.NumberFormat(numbers, { style: "percent", minimumFractionDigits: count, maximumFractionDigits: count }));
  const signed = new Intl.NumberFormat(numbers, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });
  const dates = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  const clock = dates({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const clockSeconds = dates({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = dates({ day: "numeric", month: "short" });
  const dayYear = dates({ day: "numeric", month: "short", year: "numeric" });
  const moment = dates({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const full = dates({ dateStyle: "medium", timeStyle: "long" });
  const utcDay = new Intl.DateTimeFormat(locale, { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const month = new Intl.DateTimeFormat(locale, { timeZone: "UTC", month: "long", year: "numeric" });
  const weekday = new Intl.DateTimeFormat(locale, { timeZone: "UTC", weekday: "narrow" });

  const decimal = (value: number, count: number) => (digits[count] ?? whole).format(value);
  const at = (time: string | number) => (typeof time === "number" ? time : Date.parse(time));

  /** Milliseconds with three digits that count; from a second on, seconds. */
  function ms(value: number | null | undefined): string {
    if (value === null || value === undefined) return NONE;
    if (value === 0) return "0 ms";
    if (value >= 10_000) return `${decimal(value / 1000, 1)} s`;
    if (value >= 1_000) return `${decimal(value / 1000, 2)} s`;
    return `${decimal(value, value >= 100 ? 0 : value >= 10 ? 1 : 2)} ms`;
  }

  /** A share. One that is not zero never reads as zero, and one below all never as all. */
  function percent(value: number | null | undefined): string {
    if (value === null || value === undefined) return NONE;
    const size = Math.abs(value);
    if (value > 0 && value < 0.0001) return `< ${(shares[2] as Intl.NumberFormat).format(0.0001)}`;
    if (value < 1 && value > 0.9999) return `> ${(shares[2] as Intl.NumberFormat).format(0.9999)}`;
    const count = size === 0 || size === 1 ? 0 : size < 0.01 || size > 0.99 ? 2 : size < 0.1 ? 2 : 1;
    return (shares[count] as Intl.NumberFormat).format(value);
  }

  function bytes(value: number | null | undefined): string {
    if (value === null || value === undefined) return NONE;
    const units = ["B", "kB", "MB", "GB", "TB"];
    let size = value;
    let unit = 0;
    while (size >= 1000 && unit < units.length - 1) (size /= 1000), unit++;
    return `${unit === 0 ? whole.format(size) : decimal(size, size >= 100 ? 0 : size >= 10 ? 1 : 2)} ${units[unit]}`;
  }

  /** How long ago, in the largest unit that fits. */
  function ago(seconds: number): string {
    const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? (["second", 1] as const);
    return relative.format(-Math.round(seconds / size), unit);
  }

  return {
    locale,
    zone,
    none: NONE,
    number: (value: number | null | undefined) => (value === null || value === undefined ? NONE : whole.format(value)),
    compact: (value: number | null | undefined) => (value === null || value === undefined ? NONE : Math.abs(value) < 10_000 ? whole.format(value) : short.format(value)),
    decimal,
    change: (ratio: number) => signed.format(ratio),
    ms,
    percent,
    bytes,
    ago,
    clock: (time: string | number) => clock.format(at(time)),
    clockSeconds: (time: string | number) => clockSeconds.format(at(time)),
    day: (time: string | number) => day.format(at(time)),
    dayYear: (time: string | number) => dayYear.format(at(time)),
    moment: (time: string | number) => moment.format(at(time)),
    full: (time: string | number) => full.format(at(time)),
    /** A day of UTC, given as `2026-11-20`. */
    utcDay: (date: string) => utcDay.format(Date.parse(date)),
    month: (year: number, monthIndex: number) => month.format(Date.UTC(year, monthIndex, 1)),
    /** Monday is 0. */
    weekday: (index: number) => weekday.format(Date.UTC(2024, 0, 1 + index)),
  };
}
