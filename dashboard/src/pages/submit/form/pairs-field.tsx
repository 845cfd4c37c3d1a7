/** A map of texts as rows of name and value. */
import { Button, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import { useState } from 'react';
import type { GroupId } from '../spec/fields.ts';
import { groups, mapOf, pairsOf } from '../spec/fields.ts';
import classes from '../submit.module.css';
import type { PartProps } from './form.tsx';

interface PairsFieldProps extends PartProps {
  readonly group: Extract<GroupId, 'env' | 'labels'>;
  readonly title: string;
  readonly keyName: string;
  readonly add: string;
}

type Pair = readonly [string, string];

export function PairsField({ spec, edit, issues, group, title, keyName, add }: PairsFieldProps) {
  const written = pairsOf(spec, groups[group]);
  // Rows that are not in the text yet: one without a name, or with the name of another.
  const [held, setHeld] = useState<readonly Pair[] | null>(null);
  if (written === undefined) {
    return <p className={classes.dim}>{title} is not a map of names and values; it is mended in the YAML.</p>;
  }
  const rows: readonly Pair[] = held !== null && sameMap(held, written) ? held : written;
  const change = (next: readonly Pair[]) => {
    setHeld(next);
    edit(groups[group], mapOf(next));
  };
  return (
    <fieldset className={classes.group}>
      <legend className={classes.subtitle}>{title}</legend>
      {rows.map(([key, value], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place while its name is being written
        <div key={index} className={classes.pairRow}>
          <TextInput
            size="xs"
            aria-label={`${keyName} ${index + 1}, name`}
            placeholder="name"
            classNames={{ input: classes.mono }}
            spellCheck={false}
            autoComplete="off"
            value={key}
            onChange={(event) => change(rows.with(index, [event.currentTarget.value, value]))}
          />
          <TextInput
            size="xs"
            aria-label={`${keyName} ${index + 1}, value`}
            placeholder="value"
            classNames={{ input: classes.mono }}
            spellCheck={false}
            autoComplete="off"
            value={value}
            onChange={(event) => change(rows.with(index, [key, event.currentTarget.value]))}
          />
          <Button
            size="xs"
            variant="subtle"
            color="gray"
            aria-label={`Remove ${keyName.toLowerCase()} ${key === '' ? index + 1 : key}`}
            onClick={() => change(rows.toSpliced(index, 1))}
          >
            Remove
          </Button>
        </div>
      ))}
      {issues[group] !== undefined && (
        <p className={classes.error} role="alert">
          {issues[group]}
        </p>
      )}
      <Button size="xs" variant="default" onClick={() => change([...rows, ['', '']])}>
        {add}
      </Button>
    </fieldset>
  );
}

/** Whether rows say what the text says, apart from rows that cannot be written. */
function sameMap(rows: readonly Pair[], written: readonly Pair[]): boolean {
  const map = mapOf(rows) ?? {};
  return Object.keys(map).length === written.length && written.every(([key, value]) => map[key] === value);
}
