// Texts in the reader's language. A key that one language lacks, or a place to fill that is not filled, fails the build.
import type { Language } from "../model/place.ts";
import { en } from "./en.ts";
import { zh } from "./zh.ts";

type Texts = typeof en;
export type Key = keyof Texts;
type Places<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Places<Rest> : never;
type Filled<K extends Key> = [Places<Texts[K]>] extends [never] ? [] : [values: Record<Places<Texts[K]>, string | number>];

export type Translate = <K extends Key>(key: K, ...values: Filled<K>) => string;

const languages: Record<Language, Record<Key, string>> = { en, zh };

export function translator(language: Language): Translate {
  const texts = languages[language];
  return (key, ...[values]) => texts[key].replace(/\{(\w+)\}/g, (place, name: string) => String((values as Record<string, string | number> | undefined)?.[name] ?? place));
}
