// Labels of a time axis.
import { DAY, offsetAt } from "./zone.ts";

interface Words {
  clock(time: number): string;
  day(time: number): string;
  dayYear(time: number): string;
}

/**
 * One label a tick: hours and minutes, and the day where one begins. Ticks a day or more apart show days, with the year
 * where it changes. `ticks` are seconds, as the charts count.
 */
export function tickLabels(ticks: readonly number[], zone: string, words: Words): string[] {
  const step = ticks.length > 1 ? ((ticks[1] ?? 0) - (ticks[0] ?? 0)) * 1000 : 0;
  let year = -1;
  return ticks.map((tick, index) => {
    const moment = tick * 1000;
    const wall = moment + offsetAt(moment, zone);
    if (step < DAY) return wall % DAY === 0 ? words.day(moment) : words.clock(moment);
    const ofYear = new Date(wall).getUTCFullYear();
    const turned = index > 0 && ofYear !== year;
    year = ofYear;
    return turned ? words.dayYear(moment) : words.day(moment);
  });
}
