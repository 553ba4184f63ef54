// Language, time zone and theme.
import { usePlace } from "../state/place.tsx";
import { useSettings, type Theme } from "../state/settings.tsx";
import { localZone } from "../model/zone.ts";
import { Segments } from "../ui/fields.tsx";

export function Preferences() {
  const { place, go } = usePlace();
  const { t, language, theme, setTheme } = useSettings();
  return (
    <div class="preferences">
      <Segments
        label={t("settings.language")}
        value={language}
        choices={[{ value: "en", label: "English" }, { value: "zh", label: "中文" }]}
        onChange={(next) => go({ language: next }, { replace: true })}
      />
      <Segments
        label={t("settings.zone")}
        value={place.zone}
        choices={[{ value: "local", label: t("settings.zone.local"), title: localZone() }, { value: "utc", label: "UTC" }]}
        onChange={(zone) => go({ zone }, { replace: true })}
      />
      <Segments<Theme>
        label={t("settings.theme")}
        value={theme}
        choices={[{ value: "system", label: t("settings.theme.system") }, { value: "light", label: t("settings.theme.light") }, { value: "dark", label: t("settings.theme.dark") }]}
        onChange={setTheme}
      />
    </div>
  );
}
