/** One input of the form; its error is what the server says of its place. */
import { Select, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { valueAt } from '../spec/draft.ts';
import { type Field, type FieldId, readValue, textOf } from '../spec/fields.ts';
import type { PartProps } from './form.tsx';

interface FieldInputProps extends PartProps {
  readonly field: Field & { readonly id: FieldId };
}

export function FieldInput({ field, spec, edit, issues }: FieldInputProps) {
  const { id, path, label, kind, help, placeholder, choices } = field;
  const text = textOf(valueAt(spec, path));
  const common = { label, description: help, error: issues[id], size: 'xs' as const, 'data-field': id };
  if (choices !== undefined) {
    const known = choices.some(({ value }) => value === text);
    return (
      <Select
        {...common}
        allowDeselect={false}
        data={known ? [...choices] : [...choices, { value: text, label: text }]}
        value={text}
        onChange={(value) => edit(path, value || undefined)}
      />
    );
  }
  return (
    <TextInput
      {...common}
      placeholder={placeholder}
      inputMode={kind === 'number' ? 'decimal' : 'text'}
      autoComplete="off"
      spellCheck={false}
      value={text}
      onChange={(event) => edit(path, readValue(kind, event.currentTarget.value))}
    />
  );
}
