/** Secrets by name; their values never come to this page. */
import { Autocomplete, Button, Select, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { useQuery } from '@tanstack/react-query';
import { read } from '../../../api/queries.ts';
import { type Spec, valueAt } from '../spec/draft.ts';
import { groups, textOf } from '../spec/fields.ts';
import classes from '../submit.module.css';
import type { PartProps } from './form.tsx';

export function SecretsField({ spec, edit, issues }: PartProps) {
  const { data, error } = useQuery({
    ...read('GET /v1/secrets', { query: { limit: 500 } }),
    staleTime: 30_000,
    retry: false,
  });
  const value = valueAt(spec, groups.secrets);
  const isList =
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null));
  const rows = (isList ? (value ?? []) : []) as readonly Spec[];
  const names = [...new Set(data?.items.map(({ name }) => name) ?? [])].sort();
  const change = (index: number, row: Spec) => edit(groups.secrets, rows.with(index, row));
  return (
    <fieldset className={classes.group}>
      <legend className={classes.subtitle}>Secrets</legend>
      {!isList && <p className={classes.dim}>The secrets are no list; they are mended in the YAML.</p>}
      {rows.map((row, index) => {
        const kind = row.file === undefined ? 'env' : 'file';
        const name = textOf(row.name);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: one secret may be given twice, by two ways
          <div key={index} className={classes.secretRow}>
            <Autocomplete
              size="xs"
              label="Secret"
              data={names}
              value={name}
              onChange={(next) => change(index, { ...row, name: next })}
            />
            <Select
              size="xs"
              label="As"
              allowDeselect={false}
              data={[
                { value: 'env', label: 'variable' },
                { value: 'file', label: 'file' },
              ]}
              value={kind}
              onChange={(next) => change(index, { name, [next ?? 'env']: textOf(row[kind]) })}
            />
            <TextInput
              size="xs"
              label={kind === 'env' ? 'Variable' : 'Name in $SOLYX_SECRETS_DIR'}
              classNames={{ input: classes.mono }}
              spellCheck={false}
              value={textOf(row[kind])}
              onChange={(event) => change(index, { ...row, [kind]: event.currentTarget.value })}
            />
            <Button
              size="xs"
              variant="subtle"
              color="gray"
              aria-label={`Remove secret ${name === '' ? index + 1 : name}`}
              onClick={() => edit(groups.secrets, rows.length === 1 ? undefined : rows.toSpliced(index, 1))}
            >
              Remove
            </Button>
          </div>
        );
      })}
      {issues.secrets !== undefined && (
        <p className={classes.error} role="alert">
          {issues.secrets}
        </p>
      )}
      {error !== null && rows.length > 0 && (
        <p className={classes.dim}>The list of secrets cannot be read; names are typed.</p>
      )}
      {isList && (
        <Button
          size="xs"
          variant="default"
          onClick={() => edit(groups.secrets, [...rows, { name: names[0] ?? '', env: '' }])}
        >
          Add a secret
        </Button>
      )}
    </fieldset>
  );
}
