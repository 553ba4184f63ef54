// Choices.
import { useId } from "preact/hooks";

interface Choice<T extends string> {
  value: T;
  label: string;
  /** For those who need it in full. */
  title?: string;
}

/** A few choices side by side, one of which holds. */
export function Segments<T extends string>({ label, choices, value, onChange }: { label: string; choices: readonly Choice<T>[]; value: T; onChange(value: T): void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button key={choice.value} type="button" class="segment" aria-pressed={choice.value === value} title={choice.title} onClick={() => onChange(choice.value)}>
          {choice.label}
        </button>
      ))}
    </div>
  );
}

export function Select<T extends string>({ label, choices, value, onChange, hideLabel = false }: { label: string; choices: readonly Choice<T>[]; value: T; onChange(value: T): void; hideLabel?: boolean }) {
  const id = useId();
  return (
    <span class="field">
      <label for={id} class={hideLabel ? "sr-only" : ""}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>{choice.label}</option>
        ))}
      </select>
    </span>
  );
}

export function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange(checked: boolean): void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      {label}
    </label>
  );
}
