// Who is signed in. The token stays in this tab: in its sessionStorage, never in an address.
import { createContext, type ComponentChildren } from "preact";
import { useCallback, useContext, useEffect, useMemo, useState } from "preact/hooks";
import { makeClient, type Client } from "../api/client.ts";
import { ApiError } from "../api/errors.ts";
import type { Session } from "../api/types.ts";

const KEY = "pathstats.token";

type State =
  | { step: "checking" }
  /** `error` says why the form is there, when it is not for the first time. */
  | { step: "out"; error: unknown; again: boolean }
  | { step: "in"; session: Session; token: string | null };

interface SignIn {
  state: State;
  client: Client;
  /** Resolves when the token was taken or refused; the state tells which. */
  signIn(token: string): Promise<void>;
  signOut(): void;
  /** Asks once more without a token, or with the one there is. */
  retry(): void;
}

const Context = createContext<SignIn | null>(null);

const stored = () => {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
};

function store(token: string | null) {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage the token lives as long as the page.
  }
}

export function SessionProvider({ children }: { children: ComponentChildren }) {
  const [state, setState] = useState<State>({ step: "checking" });
  const token = state.step === "in" ? state.token : null;

  const check = useCallback(async (candidate: string | null, typed: boolean) => {
    try {
      const session = await makeClient(candidate, () => {}).get<Session>("/admin/session");
      if (typed) store(candidate);
      setState({ step: "in", session, token: candidate });
    } catch (error) {
      const refused = error instanceof ApiError && error.status === 401;
      // A token that was refused is of no more use. One that could not be tried may be good.
      if (refused) store(null);
      setState({ step: "out", error: refused && !candidate ? null : error, again: false });
    }
  }, []);

  useEffect(() => void check(stored(), false), [check]);

  const client = useMemo(
    () =>
      makeClient(token, (error) => {
        store(null);
        setState((now) => (now.step === "in" ? { step: "out", error, again: true } : now));
      }),
    [token],
  );
  const value = useMemo(
    () => ({
      state,
      client,
      signIn: (typed: string) => check(typed, true),
      signOut: () => {
        store(null);
        setState({ step: "out", error: null, again: false });
      },
      retry: () => {
        setState({ step: "checking" });
        void check(stored(), false);
      },
    }),
    [state, client, check],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSignIn(): SignIn {
  const value = useContext(Context);
  if (!value) throw new Error("no SessionProvider");
  return value;
}

/** The session of a reader who is signed in. */
export function useSession(): { session: Session; client: Client; isAdmin: boolean } {
  const { state, client } = useSignIn();
  if (state.step !== "in") throw new Error("not signed in");
  return { session: state.session, client, isAdmin: state.session.role === "admin" };
}
