// Settings, and who is signed in.
import { useEffect, useRef } from "preact/hooks";
import { useSession, useSignIn } from "../state/session.tsx";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "../ui/icon.tsx";
import { Preferences } from "./preferences.tsx";

export function Menu() {
  const { t, format } = useSettings();
  const { session } = useSession();
  const { signOut } = useSignIn();
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const outside = (event: Event) => {
      if (menu.current?.open && !menu.current.contains(event.target as Node)) menu.current.open = false;
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || !menu.current?.open) return;
      menu.current.open = false;
      menu.current.querySelector("summary")?.focus();
    };
    addEventListener("click", outside);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("click", outside);
      removeEventListener("keydown", escape);
    };
  }, []);
  return (
    <details class="menu" ref={menu}>
      <summary class="button button-icon" aria-label={t("settings.title")}>
        <Icon name="settings" />
      </summary>
      <div class="menu-body">
        <Preferences />
        <dl class="who">
          <dt>{t("session.name")}</dt>
          <dd>{session.name}</dd>
          <dt>{t("session.role")}</dt>
          <dd>{t(`session.role.${session.role}`)}</dd>
          {session.expiresAt && (
            <>
              <dt>{t("session.expires")}</dt>
              <dd>{format.moment(session.expiresAt)}</dd>
            </>
          )}
          <dt>{t("session.version")}</dt>
          <dd>{session.version} · {session.environment}</dd>
        </dl>
        {session.via === "token" ? (
          <button type="button" class="button" onClick={signOut}>{t("session.signOut")}</button>
        ) : (
          <a class="button" href="/cdn-cgi/access/logout">{t("session.signOut")}</a>
        )}
      </div>
    </details>
  );
}
