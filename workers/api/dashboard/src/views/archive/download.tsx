// A file of the archive, to the reader's disk. The token goes in a header, so it is no plain link.
import { useState } from "preact/hooks";
import type { ArchiveFile } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { supplementOf } from "../../model/files.ts";
import { useAnnounce } from "../../state/announce.tsx";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Icon } from "../../ui/icon.tsx";
import { explain } from "../../ui/problem.tsx";
import { saveStream } from "../../ui/save.ts";

export function Download({ date, file }: { date: string; file: ArchiveFile }) {
  const { client } = useSession();
  const { t, format } = useSettings();
  const say = useAnnounce();
  const [bytes, setBytes] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const name = file.path.split("/").at(-1) ?? file.path;
  const whole = file.stage !== "writing";
  const save = async () => {
    setBytes(0);
    setProblem(null);
    const format = file.path.endsWith(".parquet") ? "parquet" : "jsonl";
    try {
      const saved = await saveStream(name, () => client.open(withQuery("/admin/archive/download", { date, supplement: supplementOf(file.path), format })), setBytes);
      if (saved) say(t("download.done", { name }));
    } catch (error) {
      const { title, next } = explain(error, t);
      setProblem(`${title} ${next}`);
    }
    setBytes(null);
  };
  return (
    <>
      <button type="button" class="button button-quiet" disabled={!whole || bytes !== null} onClick={() => void save()} aria-label={t("download.name", { name })}>
        <Icon name="download" /> {bytes === null ? t("action.download") : format.percent(file.bytes ? Math.min(1, bytes / file.bytes) : 0)}
      </button>
      {problem && <span class="field-problem" role="alert">{problem}</span>}
    </>
  );
}
