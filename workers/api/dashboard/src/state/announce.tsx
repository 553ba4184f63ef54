// What happened, said to those who cannot see it.
import { createContext, type ComponentChildren } from "preact";
import { useCallback, useContext, useState } from "preact/hooks";

const Context = createContext<(text: string) => void>(() => {});

export function Announcer({ children }: { children: ComponentChildren }) {
  const [said, setSaid] = useState({ text: "", count: 0 });
  const say = useCallback((text: string) => setSaid(({ count }) => ({ text, count: count + 1 })), []);
  return (
    <Context.Provider value={say}>
      {children}
      <div class="sr-only" role="status" aria-live="polite" data-testid="announcement">
        {/* The same text again is a new node, and is read again. */}
        <span key={said.count}>{said.text}</span>
      </div>
    </Context.Provider>
  );
}

export const useAnnounce = () => useContext(Context);
