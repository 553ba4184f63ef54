// The form for a token. Behind Cloudflare Access nobody sees it.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/errors.ts";
import { useSettings } from "../state/settings.tsx";
import { useSignIn } from "../state/session.tsx";
import { Icon } from "../ui/icon.tsx";
import { explain } from "../ui/problem.tsx";
import { Brand } from "./header.tsx";
import { Preferences } from "./preferences.tsx";

export function SignIn() {
  const { state, signIn, retry } = useSignIn();
  const { t } = useSettings();
  const [token, setToken] = useState("");
  const [asking, setAsking] = useState(false);
  const [shown, setShown] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  if (state.step !== "out") return null;
  const { error, again } = state;
  const refused = error instanceof ApiError && error.status === 401;
  const submit = async (event: Event) => {
    event.preventDefault();
    // A token pasted with its line end or its scheme is the same token.
    const clean = token.trim().replace(/^bearer\s+/i, "");
    if (!clean || asking) return field.current?.focus();
    setAsking(true);
    await signIn(clean);
    setAsking(false);
    field.current?.select();
  };
  const told = error === null ? null : explain(error, t);
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)} class="sign-in-card" aria-describedby="sign-in-hint">
        <Brand />
        <h1>{t("signIn.title")}</h1>
        {told && (
          <div class="notice notice-problem" role="alert">
            <Icon name="warning" />
            <div>
              <strong>{again ? t("signIn.expired") : refused ? t("signIn.refused") : told.title}</strong>{" "}
              {again ? t("signIn.expired.next") : refused ? t("signIn.refused.next") : told.next}
              {error instanceof Error && error.message && !refused && <div class="notice-detail">{error.message}</div>}
            </div>
          </div>
        )}
        <label for="token">{t("signIn.token")}</label>
        <div class="sign-in-field">
          <input
            id="token"
            ref={field}
            {...(shown ? { type: "text" } as const : { type: "password" } as const)}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
            autocomplete="current-password"
            spellcheck={false}
            autocapitalize="off"
            aria-invalid={refused && !again}
          />
          <button type="button" class="button" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {shown ? t("signIn.hide") : t("signIn.show")}
          </button>
        </div>
        <button type="submit" class="button button-primary" disabled={asking}>
          {asking ? t("signIn.checking") : t("signIn.submit")}
        </button>
        <p id="sign-in-hint" class="hint">{t("signIn.hint")}</p>
        <p class="hint">
          {t("signIn.access")}{" "}
          <button type="button" class="link" onClick={retry}>{t("signIn.accessRetry")}</button>
        </p>
      </form>
      <div class="sign-in-preferences"><Preferences /></div>
    </main>
  );
}
