// Language, formats, theme and automatic refresh.
import { createContext, type ComponentChildren } from "preact";
import { useCallback, useContext, useEffect, useMemo, useState } from "preact/hooks";
import { makeFormat, type Format } from "../model/format.ts";
import type { Language } from "../model/place.ts";
import { translator, type Translate } from "../i18n/index.ts";
import { usePlace } from "./place.tsx";

export type Theme = "system" | "light" | "dark";

interface Settings {
  t: Translate;
  language: Language;
  format: Format;
  theme: Theme;
  setTheme(theme: Theme): void;
  /** Whether it is dark now, whoever decided that. */
  dark: boolean;
  auto: boolean;
  setAuto(auto: boolean): void;
}

const Context = createContext<Settings | null>(null);
const DARK = "(prefers-color-scheme: dark)";

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`pathstats.${name}`);
  } catch {
    return null;
  }
}

function remember(name: string, value: string | null) {
  try {
    if (value === null) localStorage.removeItem(`pathstats.${name}`);
    else localStorage.setItem(`pathstats.${name}`, value);
  } catch {
    // It holds for this visit only.
  }
}

const browserLanguage = (): Language => (navigator.languages.find((name) => /^(en|zh)\b/i.test(name))?.toLowerCase().startsWith("zh") ? "zh" : "en");

export function SettingsProvider({ children }: { children: ComponentChildren }) {
  const { place, zone } = usePlace();
  const language = place.language ?? browserLanguage();
  const [theme, choose] = useState<Theme>(() => {
    const chosen = remembered("theme");
    return chosen === "light" || chosen === "dark" ? chosen : "system";
  });
  const [systemDark, setSystemDark] = useState(() => matchMedia(DARK).matches);
  const [auto, setAutoState] = useState(() => remembered("auto") !== "off");

  useEffect(() => {
    const query = matchMedia(DARK);
    const changed = () => setSystemDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);

  const setTheme = useCallback((next: Theme) => {
    choose(next);
    remember("theme", next === "system" ? null : next);
  }, []);
  const setAuto = useCallback((next: boolean) => {
    setAutoState(next);
    remember("auto", next ? null : "off");
  }, []);
  const value = useMemo(
    () => ({
      t: translator(language),
      language,
      format: makeFormat(language, zone),
      theme,
      setTheme,
      dark: theme === "dark" || (theme === "system" && systemDark),
      auto,
      setAuto,
    }),
    [language, zone, theme, setTheme, systemDark, auto, setAuto],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSettings(): Settings {
  const value = useContext(Context);
  if (!value) throw new Error("no SettingsProvider");
  return value;
}
