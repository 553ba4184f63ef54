// Copies a text, and says so.
import { useState } from "preact/hooks";
import { useAnnounce } from "../state/announce.tsx";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "./icon.tsx";

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const { t } = useSettings();
  const say = useAnnounce();
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return say(t("copy.failed"));
    }
    setDone(true);
    say(t("copy.done"));
    setTimeout(() => setDone(false), 1_500);
  };
  return (
    <button type="button" class="button button-quiet" onClick={() => void copy()}>
      <Icon name={done ? "ok" : "copy"} /> {label}
    </button>
  );
}
