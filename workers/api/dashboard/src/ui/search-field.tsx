import { Icon } from "./icon.tsx";

export function SearchField({ label, value, onInput }: { label: string; value: string; onInput(text: string): void }) {
  return (
    <label class="search">
      <Icon name="search" />
      <span class="sr-only">{label}</span>
      <input type="search" value={value} placeholder={label} maxLength={200} onInput={(event) => onInput(event.currentTarget.value)} spellcheck={false} />
    </label>
  );
}
