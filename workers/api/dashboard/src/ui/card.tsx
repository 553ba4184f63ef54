// A part of a view: a heading, what belongs to it, and its content.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Props {
  title: string;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  children: ComponentChildren;
  busy?: boolean;
  class?: string;
  testId?: string;
}

export function Card({ title, note, tools, children, busy = false, class: classes = "", testId }: Props) {
  const heading = useId();
  return (
    <section class={`card ${classes}`} aria-labelledby={heading} aria-busy={busy} data-testid={testId}>
      <header class="card-head">
        <h2 id={heading}>{title}</h2>
        {note && <span class="card-note">{note}</span>}
        {tools && <div class="card-tools">{tools}</div>}
      </header>
      {children}
    </section>
  );
}
